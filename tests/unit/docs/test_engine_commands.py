"""docs/guides/engine-commands.md: every row of a command names a test that is there."""

from __future__ import annotations

import re

import pytest

from tests.unit.docs.pages import ROOT

PAGE = ROOT / "docs" / "guides" / "engine-commands.md"
ROWS = [line for line in PAGE.read_text().splitlines() if line.startswith("| `pulumi") and "faults.md)" not in line]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_the_test_that_a_row_names_is_there(row: str) -> None:
    found = re.search(r"`(test_\w+\.py)::(test_\w+)` \|$", row)
    assert found is not None
    assert f"def {found[2]}(" in (ROOT / "tests" / "engine" / found[1]).read_text()


def test_there_are_twenty_commands_at_least() -> None:
    assert len(ROWS) >= 20
