"""COVERAGE.md of the lab's Kubernetes provider names tests that exist, and every test of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_MODULE = Path(__file__).parents[2] / "lab" / "go" / "pulumi-resource-kubernetes"
_TEXT = (_MODULE / "COVERAGE.md").read_text()
_COVERED = [
    line
    for line in _TEXT.split("\n## Covered")[1].split("\n## ")[0].splitlines()
    if line.startswith("| ") and line != "| behaviour | test |"
]
_ENGINE_TESTS = {
    name
    for path in Path(__file__).parent.glob("test_kubernetes_provider*.py")
    if path != Path(__file__)
    for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
}
_GO_TESTS = {
    name
    for path in _MODULE.glob("*_test.go")
    for name in [path.name, *re.findall(r"^func (Test\w+)\(", path.read_text(), re.MULTILINE)]
}


def _names(text: str) -> set[str]:
    return set(re.findall(r"`(test_\w+|Test\w+|\w+_test\.go)`", text))


@pytest.mark.parametrize("line", _COVERED)
def test_each_covered_line_names_tests_that_exist(line: str) -> None:
    names = _names(line.rsplit(" | ", 1)[1])
    assert names
    assert names <= _ENGINE_TESTS | _GO_TESTS


def test_every_engine_test_stands_in_the_table() -> None:
    assert _names(_TEXT) >= _ENGINE_TESTS
