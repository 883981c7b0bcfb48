"""docs/errors.md against the code: a message that it quotes is still there, and no finding is missing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from auditlog import checks
from tests.unit.docs.pages import ROOT, prose

PAGE = ROOT / "docs" / "errors.md"
CHECKS = Path(checks.__file__).parent
GAP = "…"
MAKERS = ("Finding", "_error", "_differing")
"""What makes a finding; its id comes first. ``_would`` makes one of each for audit flags and for others."""
WARNING, ERROR, NOTE = "warning", "error", "note"

_ROW = re.compile(r"^\| `(?P<first>[^`]+)` \|(?P<rest>.*)$")
_EXPANSION = re.compile(r"\$\((?:[^()]|\([^()]*\))*\)|\$\{[^}]*\}|\$\w+")


def rows(heading: str) -> list[tuple[str, str]]:
    """The first cell and the rest of every row of that section's tables."""
    found, inside = [], False
    for _, line in prose(PAGE):
        if line.startswith("## "):
            inside = line == f"## {heading}"
        elif inside and (match := _ROW.match(line)):
            found.append((match["first"], match["rest"]))
    return found


HEADINGS = [line.removeprefix("## ") for _, line in prose(PAGE) if line.startswith("## ")]
FINDINGS = {first: rest.split("|")[0].strip() for first, rest in rows("Preview and plan") if " " not in first}
QUOTED = [first for heading in HEADINGS for first, _ in rows(heading) if first not in FINDINGS]
INTRODUCED = [text for _, line in prose(PAGE) for text in re.findall(r"^`([^`]+\.)`", line)]


@cache
def texts() -> tuple[str, ...]:
    """Every text that the program can print, with a gap for what is filled in."""
    found: list[str] = []
    for folder in ("auditlog", "components"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            found.extend(_texts_of(ast.parse(path.read_text())))
    for path in [*sorted((ROOT / "node").glob("*.sh")), *sorted((ROOT / "ci").iterdir())]:
        joined = re.sub(r"\\\n\s*", "", path.read_text())
        found.extend(_EXPANSION.sub(GAP, line) for line in joined.splitlines() if not line.lstrip().startswith("#"))
    return tuple(found)


def _texts_of(tree: ast.AST) -> Iterator[str]:
    # A docstring is a statement of its own; nothing else that is printed is.
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(_filled(part) for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def _filled(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else GAP


def is_printed(message: str) -> bool:
    pattern = re.compile(".*".join(re.escape(each) for each in message.split(GAP)), re.DOTALL)
    return any(pattern.search(text) for text in texts())


@pytest.mark.parametrize("message", [*QUOTED, *INTRODUCED])
def test_a_message_that_is_quoted_is_in_the_code(message: str) -> None:
    assert max(len(each) for each in message.split(GAP)) >= 8, "too little to be known by"
    assert is_printed(message)


def test_a_message_that_nothing_prints_is_found() -> None:
    assert not is_printed("the node is haunted")
    assert not is_printed("a policy needs at least … rules")


def test_there_are_messages_of_every_group() -> None:
    counts = {heading: len(rows(heading)) for heading in HEADINGS}
    assert min(counts.values()) >= 4
    assert len(QUOTED) >= 50
    assert len(INTRODUCED) >= 4


def findings() -> dict[str, str]:
    """Every finding that the checks can make, by its id, with its kind."""
    found: dict[str, str] = {}
    for path in sorted(CHECKS.glob("*.py")):
        tree = ast.parse(path.read_text())
        makers = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in MAKERS]
        inside = {id(node) for maker in makers for node in ast.walk(maker)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or id(node) in inside:
                continue
            if node.func.id == "_would":
                effect = node.args[2]
                assert isinstance(effect, ast.Constant)
                assert isinstance(effect.value, str)
                found |= {f"kubeadm-config-would-{effect.value}{whose}": WARNING for whose in ("", "-others")}
            elif node.func.id in MAKERS:
                identifier = node.args[0]
                if isinstance(identifier, ast.BinOp):
                    assert "kubeadm-config-would-" in ast.unparse(identifier), f"{path}: an id that is put together"
                    continue
                assert isinstance(identifier, ast.Constant), f"{path}:{node.lineno}: an id that is not a text"
                assert isinstance(identifier.value, str)
                given = " ".join(map(ast.unparse, node.args))
                is_error = node.func.id == "_error" or "Severity.ERROR" in given
                found[identifier.value] = ERROR if is_error else NOTE if "Severity.NOTE" in given else WARNING
    return found


def test_every_finding_is_listed_with_its_kind_and_no_other() -> None:
    assert findings() == FINDINGS


def test_the_findings_are_all_found() -> None:
    assert len(findings()) >= 35
    for known in ("stray-manifest", "disk-too-small", "nodes-differ-policy", "kubeadm-config-would-drop-others"):
        assert known in findings()
