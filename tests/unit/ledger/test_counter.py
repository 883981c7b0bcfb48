"""The API server's counter against the files, as far as two readings tell."""

from __future__ import annotations

import pytest

from auditlog.ledger.counter import NO_COUNTER, NO_EARLIER, RESTARTED, Comparison, Count, Window, compared, window
from auditlog.ledger.finding import Kind
from auditlog.ledger.judge import judge_count

EARLIER = Count("t1", 100, "t2", "5")
LATER = Count("t3", 150, "t4", "5")


def counted(least: int, most: int) -> Comparison:
    """50 were counted; the files hold so many for sure, and so many with those at the edges."""
    found = window(EARLIER, LATER)
    assert isinstance(found, Window)
    return compared(found, {"t1": 0, "t2": 2, "t3": 2 + least, "t4": most})


@pytest.mark.parametrize(("least", "most"), [(50, 50), (48, 52), (50, 60), (40, 50)])
def test_what_the_edges_allow_is_no_difference(least: int, most: int) -> None:
    assert list(judge_count("cp1", counted(least, most))) == []


def test_what_is_in_no_file_has_a_number_and_no_name() -> None:
    (finding,) = judge_count("cp1", counted(40, 44))
    assert (finding.kind, finding.count, finding.events) == (Kind.FEWER_THAN_COUNTED, 6, ())


def test_what_the_api_server_did_not_write() -> None:
    (finding,) = judge_count("cp1", counted(53, 55))
    assert (finding.kind, finding.count) == (Kind.MORE_THAN_COUNTED, 3)


@pytest.mark.parametrize(
    ("earlier", "later", "reason"),
    [
        (None, LATER, NO_EARLIER),
        (EARLIER, None, NO_COUNTER),
        (EARLIER, Count("t3", 150, "t4", "6"), RESTARTED),
        (EARLIER, Count("t3", 99, "t4", "5"), RESTARTED),
    ],
)
def test_elsewhere_it_is_not_known(earlier: Count | None, later: Count | None, reason: str) -> None:
    assert window(earlier, later) == reason
    (finding,) = judge_count("cp1", reason)
    assert finding.weight.value == "note"
    assert "not known" in finding.sentence
