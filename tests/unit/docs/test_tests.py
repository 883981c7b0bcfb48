"""``docs/tests.md`` names every test that ``make test`` leaves out, with a target that exists."""

from __future__ import annotations

import re

from lab.paths import REPOSITORY

PAGE = (REPOSITORY / "docs/tests.md").read_text()
TESTS = REPOSITORY / "tests"
RUN = (REPOSITORY / ".ci/test").read_text()


def left_out() -> set[str]:
    """The files with tests that are marked, and those of a folder of which ``.ci/test`` names some."""
    marked = {path for path in TESTS.rglob("test_*.py") if re.search(r"pytest\.mark\.exhaustive", path.read_text())}
    named = {path for path in (TESTS / "observability").glob("test_*.py") if path.name not in RUN}
    files = {str(path.relative_to(REPOSITORY)) for path in marked | named}
    return files | set(re.findall(r"--ignore=(\S+)", RUN))


def test_every_file_of_which_tests_are_left_out_has_its_row() -> None:
    rows = {file for row in PAGE.splitlines() if row.startswith("| `") for file in re.findall(r"tests/\S+\.py", row)}
    assert left_out() - rows == set()


def test_every_target_and_file_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"`make ([a-z-]+)`", PAGE))
    assert targets
    assert {each for each in targets if not re.search(rf"^{each}:", makefile, re.MULTILINE)} == set()
    assert [file for file in re.findall(r"tests/[\w/]+\.py", PAGE) if not (REPOSITORY / file).exists()] == []
