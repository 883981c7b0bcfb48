"""Times of a report are in the zone that was asked for, and say which one it is."""

from __future__ import annotations

from datetime import UTC, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from auditlog.ledger.finding import Finding, Kind
from auditlog.ledger.report import Report, text_report
from tests.unit.ledger.made import HOUR, at, mark

FOUND = Finding("", Kind.MISSING_IN_LOKI, "not in Loki", 1, at(1), at(2), (mark(1.5),))


@pytest.mark.parametrize(
    ("zone", "first", "named"),
    [
        (UTC, "10:00 to 2026-11-29 11:00 UTC", "10:01:00 to 10:02:00"),
        (ZoneInfo("Asia/Kolkata"), "15:30 to 2026-11-29 16:30 IST", "15:31:00 to 15:32:00"),
        (timezone.min, "10:01 to 2026-11-28 11:01 UTC-23:59", "10:02:00 to 10:03:00"),
    ],
)
def test_times_are_in_the_zone(zone: tzinfo, first: str, named: str) -> None:
    printed = text_report(Report(HOUR, (), of_chain=(FOUND,)), zone).splitlines()
    assert printed[0].endswith(first)
    (finding,) = [line for line in printed if "missing-in-loki" in line]
    assert named in finding


def test_the_time_of_an_event_is_too() -> None:
    report = Report(HOUR, (), of_chain=(FOUND,))
    assert "2026-11-29T10:01:30Z a" in text_report(report)
    assert "2026-11-29T15:31:30+05:30 a" in text_report(report, ZoneInfo("Asia/Kolkata"))
