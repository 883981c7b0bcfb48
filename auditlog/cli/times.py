"""Times and spans as people write them: `2025-02-21 10:00`, `19:40`, `yesterday`, `1h30m`.

Written here: dateparser and its like take nearly any text for some time, and this program answers a slip with what is
allowed.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from auditlog.cli.common import UsageError

TIME_HELP = (
    "2025-02-21T10:00:00Z, '2025-02-21 10:00', 19:40, today, yesterday, 'yesterday 19:40', or 1h30m, 2d ago; UTC"
)
ZONE_HELP = (
    "the zone of times, in what you write and in what is shown: local, UTC, or a name such as Europe/Berlin (UTC)"
)
SPAN_HELP = "90, 90s, 2m or 1h30m"

LOCAL = "local"
_SPAN = re.compile(r"(\d+[wdhms])+")
_SPAN_PART = re.compile(r"(\d+)([wdhms])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_CLOCK = re.compile(
    r"((?P<day>today|yesterday)\s+)?(?P<hour>\d\d?):(?P<minute>\d\d)(:(?P<second>\d\d))?(?P<utc>Z?)", re.IGNORECASE
)
_DAYS = {"today": 0, "yesterday": 1}


def add_times(parser: argparse._ActionsContainer, since: str = "", until: str = "") -> None:
    """`--since`, `--until` and `--time-zone`. `resolve_times` has to follow.

    `since` and `until` say what holds without them.
    """
    given = f"{TIME_HELP} ({since})" if since else TIME_HELP
    parser.add_argument("--since", type=written_time, metavar="TIME", help=given)
    parser.add_argument("--until", type=written_time, metavar="TIME", help=f"as --since{until and f' ({until})'}")
    parser.add_argument("--time-zone", type=zone, default=UTC, metavar="ZONE", help=ZONE_HELP)


def resolve_times(arguments: argparse.Namespace) -> None:
    """Makes `since` and `until` points in time. Raises UsageError where they are the wrong way round."""
    now = datetime.now(UTC)
    for name in ("since", "until"):
        written = getattr(arguments, name)
        setattr(arguments, name, written and written.at(arguments.time_zone, now))
    if arguments.since and arguments.until and arguments.since > arguments.until:
        raise UsageError(f"--since ({arguments.since}) is later than --until ({arguments.until})")


@dataclass(frozen=True, slots=True)
class WrittenTime:
    """A point in time as it was written. Which one it is depends on the zone, which another argument names."""

    text: str
    """As it was written; it is known to be a time."""

    def at(self, zone: tzinfo, now: datetime) -> datetime:
        """The point in time, in UTC."""
        return moment(self.text, zone, now).astimezone(UTC)


def written_time(text: str) -> WrittenTime:
    """For argparse. Raises ArgumentTypeError for what is no time."""
    moment(text, UTC, datetime.now(UTC))
    return WrittenTime(text)


def moment(text: str, zone: tzinfo, now: datetime) -> datetime:
    """A point in time, in `zone` unless it says otherwise.

    `today` and `yesterday` are when the day began, `19:40` the last time it was so late, `1h30m` so long ago.

    Raises:
        argparse.ArgumentTypeError: none of these.
    """
    here = now.astimezone(zone)
    word = text.strip()
    try:
        if word.lower() in _DAYS:
            return _midnight(here, _DAYS[word.lower()])
        if _SPAN.fullmatch(word.lower()):
            return now - _span(word.lower())
        if match := _CLOCK.fullmatch(word):
            return _at_clock(match, now.astimezone(UTC) if match["utc"] else here)
        found = datetime.fromisoformat(word)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time: {TIME_HELP}") from None
    return found if found.tzinfo else found.replace(tzinfo=zone)


def _midnight(here: datetime, days: int) -> datetime:
    # By date and not by hours: the day on which clocks change has others.
    date = here.date() - timedelta(days=days)
    return datetime(date.year, date.month, date.day, tzinfo=here.tzinfo)


def _at_clock(match: re.Match[str], here: datetime) -> datetime:
    def on(days: int) -> datetime:
        return _midnight(here, days).replace(
            hour=int(match["hour"]), minute=int(match["minute"]), second=int(match["second"] or 0)
        )

    if match["day"]:
        return on(_DAYS[match["day"].lower()])
    return on(0) if on(0) <= here else on(1)


def span(text: str) -> timedelta:
    """How long: seconds as a number, or parts with their units.

    Raises:
        argparse.ArgumentTypeError: neither, or not above zero.
    """
    word = text.strip().lower()
    try:
        found = _span(word) if _SPAN.fullmatch(word) else timedelta(seconds=float(word))
    except (ValueError, OverflowError):
        found = timedelta()
    if found <= timedelta():
        raise argparse.ArgumentTypeError(f"{text!r} is no span of time above zero: {SPAN_HELP}")
    return found


def _span(word: str) -> timedelta:
    return sum((timedelta(**{_UNITS[unit]: int(count)}) for count, unit in _SPAN_PART.findall(word)), timedelta())


def zone(text: str) -> tzinfo:
    """A zone by its name.

    Raises:
        argparse.ArgumentTypeError: there is no such zone.
    """
    if text.lower() == LOCAL:
        return _Local()
    if text.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"{text!r} is no zone: local, UTC, or a name such as Europe/Berlin") from None


class _Local(tzinfo):
    """The zone of this machine, summer time included: `datetime.astimezone()` knows it and has no object for it."""

    def utcoffset(self, when: datetime | None) -> timedelta | None:
        return None if when is None else when.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, when: datetime | None) -> timedelta | None:
        return None if when is None else timedelta()

    def tzname(self, when: datetime | None) -> str | None:
        return None if when is None else when.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, when: datetime) -> datetime:
        return when.replace(tzinfo=UTC).astimezone().replace(tzinfo=self)
