"""Tables and paragraphs in the columns there are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auditlog.events.layout import paragraph, table

HEADER = ("TIME", "USER", "WITH")
ROWS = (("10:00", "alice@example.org", "kubectl/v1.33.2"), ("10:01", "bob", "k9s"))


def test_what_fits_is_one_line_a_row() -> None:
    wide = list(table(HEADER, ROWS))
    assert wide == list(table(HEADER, ROWS, width=len(wide[1])))
    assert wide[1] == "10:00  alice@example.org  kubectl/v1.33.2"


def test_what_does_not_fit_goes_below_with_every_column_in_its_place() -> None:
    assert list(table(HEADER, ROWS, width=30)) == [
        "TIME   USER",
        "  WITH",
        "10:00  alice@example.org",
        "  kubectl/v1.33.2",
        "10:01  bob",
        "  k9s",
    ]


def test_a_cell_that_fits_on_no_line_is_broken_and_loses_nothing() -> None:
    assert list(table(("A", "B"), [("1", "x" * 25)], width=14)) == [
        "A",
        "  B",
        "1",
        f"  {'x' * 12}",
        f"  {'x' * 12}",
        "  x",
    ]


@given(st.lists(st.lists(st.text("ab /:", max_size=60), min_size=4, max_size=4), max_size=3), st.integers(10, 90))
def test_no_line_is_wider(rows: list[list[str]], width: int) -> None:
    assert all(len(line) <= width for line in table(("A", "B", "C", "D"), rows, right=[2], width=width))


def test_a_long_name_is_not_broken_in_a_sentence() -> None:
    name = "/var/log/kubernetes/audit/" + "x" * 80
    assert list(paragraph(f"the log of {name} is empty", 80)) == ["the log of", f"  {name}", "  is empty"]
    assert list(paragraph("as it is " * 20, None)) == ["as it is " * 20]
