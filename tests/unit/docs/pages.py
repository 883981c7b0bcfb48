"""README.md, the pages beside it, lab/README.md and docs/: what there is to run in them, to follow and to copy."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[3]
LANGUAGES = ("sh", "yaml", "text", "logql", "promql", "mermaid", "python", "typescript", "go", "diff")
"""What a code block may hold; one of ``sh`` holds commands, and nothing else does."""

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>\S*)\s*$")
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_BEGINS = re.compile(r"\s*(?:[-*] |\d+\. |\||#)")
_COMMENT = re.compile(r"(^|\s)#\s.*$")
_OPERATORS = re.compile(r"^[|&;()]+$")
_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
_SETTERS = ("sudo", "nice", "exec")
_CHECKED_INLINE = ("auditlog ", "kubectl audit ", "python -m ", "make ", "pulumi ", "ci/", "kubectl ", "kubeadm ")


@dataclass(frozen=True, slots=True)
class Block:
    """A code block; ``line`` is that of its fence, counted from 1."""

    page: Path
    line: int
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command: its words without assignments and redirections; ``where`` is FILE:LINE.

    ``in_text`` is one that stands in a sentence, where a command may just be named.
    """

    where: str
    words: tuple[str, ...]
    in_text: bool = False

    def __str__(self) -> str:
        return f"{self.where} {shlex.join(self.words)}"


def pages() -> list[Path]:
    tops = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "lab/README.md")
    # Those of docs/examples/pages are made by a test, which reads them.
    written = (page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "pages")
    return [*(ROOT / page for page in tops), *sorted(written)]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    found: list[Block] = []
    inside: list[str] | None = None
    start, fence, language, indent = 0, "", "", 0
    for number, line in enumerate(page.read_text().splitlines(), 1):
        match = _FENCE.match(line)
        if inside is None and match:
            inside, start = [], number
            fence, language, indent = match["fence"], match["language"], len(match["indent"])
        elif inside is not None and line.strip() == fence:
            found.append(Block(page, start, language, "\n".join(inside) + "\n"))
            inside = None
        elif inside is not None:
            inside.append(line[indent:])
    assert inside is None, f"{name(page)}:{start}: this code block has no end"
    return found


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """The lines outside of code blocks, with their numbers."""
    fence = None
    for number, line in enumerate(page.read_text().splitlines(), 1):
        match = _FENCE.match(line)
        if fence is None and match:
            fence = match["fence"]
        elif fence is not None:
            fence = None if line.strip() == fence else fence
        else:
            yield number, line


def paragraphs(page: Path) -> Iterator[tuple[int, str]]:
    """The text of each paragraph, list item, heading and table row on one line, with the number of its first."""
    start, words = 0, ""
    for number, line in prose(page):
        if words and (not line.strip() or _BEGINS.match(line)):
            yield start, words
            words = ""
        if line.strip():
            start, words = (start, f"{words} {line.strip()}") if words else (number, line.strip())
    if words:
        yield start, words


def links(page: Path) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for number, line in prose(page):
        text = _INLINE.sub("", line)
        targets = _LINK.findall(text)
        assert len(targets) == text.count("]("), (
            f"{name(page)}:{number}: a link that is broken over two lines is not read"
        )
        found.extend((number, target) for target in targets)
    return found


def anchors(page: Path) -> set[str]:
    """Those that the common forges make of headings."""
    return {_anchor(line.lstrip("#").strip()) for _, line in prose(page) if re.match(r"#{1,6} ", line)}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def commands(page: Path) -> list[Command]:
    """Every command of the page: those of its ``sh`` blocks, and those of ours that stand in its text."""
    found = [
        command for block in blocks(page) if block.language == "sh" for command in shell_commands(block.text, block)
    ]
    for number, paragraph in paragraphs(page):
        for text in _INLINE.findall(paragraph):
            if text.startswith(_CHECKED_INLINE):
                found.extend(
                    replace(command, in_text=True) for command in _simple_commands(text, f"{name(page)}:{number}")
                )
    return found


def shell_commands(text: str, block: Block) -> Iterator[Command]:
    number, pending = block.line, ""
    for line in text.splitlines():
        number += 1
        pending += line
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        yield from _simple_commands(_COMMENT.sub("", pending), f"{name(block.page)}:{number}")
        pending = ""


def _simple_commands(line: str, where: str) -> Iterator[Command]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    skip = False
    for token in [*lexer, ";"]:
        if skip:
            skip = False
        elif set(token) <= set("<>"):
            skip = True
        elif _OPERATORS.match(token):
            while words and (_ASSIGNMENT.match(words[0]) or words[0] in _SETTERS):
                del words[0]
            if words:
                yield Command(where, tuple(words))
            words = []
        else:
            words.append(token)
