"""docs/guides/ledger.md names every finding, every verdict and its exit code."""

from __future__ import annotations

import re

from auditlog.ledger.finding import Finding, Kind, Verdict, Weight
from tests.unit.docs.pages import ROOT

PAGE = (ROOT / "docs/guides/ledger.md").read_text()


def named(heading: str) -> set[str]:
    """What the first column of the page's table with this first column names."""
    rows = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return {name for row in rows for name in re.findall(r"`([a-z-]+)`", row.split("|")[1])}


def of(weight: Weight) -> set[str]:
    return {kind.value for kind in Kind if Finding("", kind, "").weight is weight}


def test_every_finding_is_in_the_table_of_its_weight() -> None:
    losses, unknown = PAGE.split("These make the verdict")
    assert named("finding") == of(Weight.LOSS)
    assert set(re.findall(r"^\| `([a-z-]+)`", unknown, re.MULTILINE)) | {"file-unreadable"} == of(Weight.UNKNOWN)
    notes = unknown.partition("Notes change no verdict:")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z-]+)`", notes)) == of(Weight.NOTE)
    assert "kubernetes/issues/111208" in losses


def test_every_verdict_has_its_exit_code() -> None:
    rows = re.findall(r"^\| (\d) \| ([a-z ]+) \|", PAGE, re.MULTILINE)
    assert {name: int(code) for code, name in rows} == {each.value: each.exit_code for each in Verdict} | {"error": 2}
