"""The scripts that shells complete by, and the manual page, both made from the parser."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from auditlog.cli import build_parser
from auditlog.cli.completion import SHELLS, completion
from lab.manual_page import manual_page

PAGE = Path(__file__).parents[3] / "docs" / "auditlog.1"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_has_every_command_and_option(shell: str) -> None:
    script = completion(build_parser(), shell)
    for word in ("inspect", "config", "check", "who", "completion", "write-config", "low-write"):
        assert word in script


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("auditlog expl", ["explain"]),
        ("auditlog config ch", ["check"]),
        ("auditlog who --verb delete --resou", ["--resource"]),
        ("auditlog completion z", ["zsh"]),
        ("auditlog presets low", ["low-write"]),
        ("auditlog lint pol", ["policy.yaml"]),
    ],
)
def test_bash_completes(tmp_path: Path, words: str, completed: list[str]) -> None:
    script = completion(build_parser(), "bash")
    (tmp_path / "policy.yaml").touch()
    listed = " ".join(words.split(" "))
    asked = (
        f"{script}\nCOMP_WORDS=({listed}); COMP_CWORD={len(words.split(' ')) - 1}; "
        '_shtab_auditlog; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    ran = subprocess.run(["bash", "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == completed


def without_usage(page: str) -> str:
    """argparse breaks usage lines differently from one Python version to the next."""
    return re.sub(r"^usage: .*?\n\n", "", page, flags=re.MULTILINE | re.DOTALL)


def test_the_manual_page_is_the_one_of_this_help() -> None:
    assert without_usage(PAGE.read_text()) == without_usage(manual_page()), "python -m lab.manual_page >docs/auditlog.1"
