"""COVERAGE.md of the lab's command plugin names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_MODULE = Path(__file__).parents[2] / "lab" / "go" / "pulumi-resource-command"
_TABLE = (_MODULE / "COVERAGE.md").read_text()
_COVERED = [line for line in _TABLE.split("## Covered")[1].split("\n## ")[0].splitlines()[3:] if line.startswith("| ")]
_TESTS = "\n".join(
    path.read_text()
    for path in [*_MODULE.glob("remote/*_test.go"), *Path(__file__).parent.glob("test_command_provider_*.py")]
)
_RECORDINGS = {path.stem for path in (Path(__file__).parent / "transcripts" / "command").glob("*.jsonl")}


def test_table_is_not_empty() -> None:
    assert len(_COVERED) > 30


@pytest.mark.parametrize("line", _COVERED)
def test_each_line_names_tests_that_exist(line: str) -> None:
    proof = line.split(" | ")[1]
    names = re.findall(r"`(\w+|\d\d(?:-[\w-]+)?)`", proof)
    assert names
    for name in names:
        recorded = any(recording.startswith(name) for recording in _RECORDINGS)
        assert recorded or re.search(rf"^(?:func|def) {name}\(", _TESTS, re.MULTILINE), f"{name} does not exist"
