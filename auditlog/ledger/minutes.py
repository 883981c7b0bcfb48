"""Which minute an event belongs to, decided the same way on the node and in Loki.

The time of an event is its ``stageTimestamp``, which the pipeline gives to Loki (``auditlog.observe.alloy``). A range
in Loki includes its last moment and excludes its first. A minute does the same: 10:01:00.000000 belongs to the minute
from 10:00 to 10:01. ``node/ledger.sh`` uses the same minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from auditlog.units import MINUTE

Minute = int
"""A minute by its beginning, in seconds since 1970."""

_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"
_TEXT = "%Y-%m-%dT%H:%M"
_FIRST_MOMENT = "="


@dataclass(frozen=True, slots=True)
class Span:
    """Whole minutes from ``since`` to before ``until``, both in seconds since 1970."""

    since: Minute
    until: Minute

    def __iter__(self) -> Iterator[Minute]:
        return iter(range(self.since, self.until, MINUTE))

    def __len__(self) -> int:
        return max(0, self.until - self.since) // MINUTE

    def __contains__(self, minute: object) -> bool:
        return isinstance(minute, int) and self.since <= minute < self.until

    def before(self, moment: float) -> Span:
        """The minutes that had ended by a moment in seconds since 1970."""
        return Span(self.since, max(self.since, min(self.until, int(moment) // MINUTE * MINUTE)))


def whole_minutes(since: datetime, until: datetime) -> Span:
    """The minutes that lie wholly in a range of time."""
    first = -(-int(since.timestamp()) // MINUTE) * MINUTE
    return Span(first, max(first, int(until.timestamp()) // MINUTE * MINUTE))


def minute_of(moment: datetime) -> Minute:
    """The minute that a moment belongs to."""
    seconds = int(moment.timestamp())
    return (seconds - (moment.microsecond == 0)) // MINUTE * MINUTE


def parse_stamp(stamp: str) -> datetime:
    """A time as the API server writes it: 2026-11-29T05:10:00.123456Z. Raises ValueError."""
    return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)


def stamp_of(seconds: float) -> str:
    """A time as the API server writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime(_STAMP)


def parse_minute(text: str) -> Minute:
    """A minute as the node writes it: 2026-11-29T05:10. Raises ValueError.

    A = after it means its first moment, which belongs to the minute before.
    """
    plain = text.removesuffix(_FIRST_MOMENT)
    minute = int(datetime.strptime(plain, _TEXT).replace(tzinfo=UTC).timestamp())
    return minute - MINUTE if plain != text else minute


def node_minutes(minutes: Iterable[Minute]) -> tuple[str, ...]:
    """The names under which the node has the events of these minutes."""
    found = set()
    for minute in minutes:
        found |= {minute_text(minute), minute_text(minute + MINUTE) + _FIRST_MOMENT}
    return tuple(sorted(found))


def minute_text(minute: Minute) -> str:
    """A minute as text: 2026-11-29T05:10."""
    return datetime.fromtimestamp(minute, UTC).strftime(_TEXT)


def runs(minutes: Iterable[Minute]) -> Iterator[Span]:
    """Spans of neighbouring minutes, oldest first."""
    begin = end = None
    for minute in sorted(minutes):
        if begin is None or end is None:
            begin, end = minute, minute + MINUTE
        elif minute == end:
            end += MINUTE
        else:
            yield Span(begin, end)
            begin, end = minute, minute + MINUTE
    if begin is not None and end is not None:
        yield Span(begin, end)
