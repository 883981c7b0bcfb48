"""Readings, sums and marks for the tests of the ledger, at minutes from 10:00 on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from auditlog.ledger.files import Events, Kind, Limits, LogFile, Reading
from auditlog.ledger.marks import Mark
from auditlog.ledger.minutes import Span
from auditlog.ledger.sums import Key, Sum
from auditlog.units import MINUTE

TEN = datetime(2026, 11, 29, 10, tzinfo=UTC)
AT_TEN = int(TEN.timestamp())
STAGE = "ResponseComplete"
HOUR = Span(AT_TEN, AT_TEN + 60 * MINUTE)
LATER = AT_TEN + 3600 * 3


def at(minutes: float) -> datetime:
    """So long after ten."""
    return TEN + timedelta(minutes=minutes)


def sums(counts: dict[int, int]) -> dict[Key, Sum]:
    """Events by the minute after ten."""
    return {
        Key(AT_TEN + minute * MINUTE, STAGE): Sum(count, 100 * count, 7 * count) for minute, count in counts.items()
    }


def mark(minutes: float, audit_id: str = "a", size: int = 100) -> Mark:
    return Mark(at(minutes), audit_id, STAGE, size)


def file(since: float, until: float, kind: Kind = Kind.ROTATED, number: int = 1, **others: object) -> LogFile:
    """A file with events from one minute to another, rotated at its end."""
    name = "audit.log" if kind is Kind.LIVE else f"audit-{at(until):%Y-%m-%dT%H-%M-%S}.000.log"
    events = Events(10, at(since), at(until), at(since), at(until), size=1000)
    made = LogFile(number, kind, f"1:{number}", 1000, AT_TEN, f"/logs/{name}", events, digest=f"digest-{name}")
    return replace(made, **others)  # type: ignore[arg-type]


def reading(*files: LogFile, limits: Limits | None = None, **others: object) -> Reading:
    """Of files that reach from the first hour on, three hours later."""
    made = Reading(LATER, files, limits=limits or Limits(30, 10, 100))
    return replace(made, **others)  # type: ignore[arg-type]
