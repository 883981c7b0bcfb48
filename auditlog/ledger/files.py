"""What a node reports about its files (``node/ledger.sh``): sums by minute, and each file's events and bytes."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

from auditlog.errors import AuditlogError
from auditlog.ledger.alloy import AlloyPod, AlloyState, parse_pod
from auditlog.ledger.counter import Count
from auditlog.ledger.marks import Mark
from auditlog.ledger.minutes import parse_minute, parse_stamp
from auditlog.ledger.sums import Key, Sum, Sums, added

_ROTATED = re.compile(r"-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3})(?:\.[^/.]*)?(?:\.gz)?$")
_ROTATED_TIME = "%Y-%m-%dT%H-%M-%S.%f"


class AnswerError(AuditlogError, ValueError):
    """A node's answer that cannot be understood."""


class Kind(StrEnum):
    """What a file is to the API server."""

    LIVE = "live"
    ROTATED = "rotated"
    CANARY_LIVE = "canary-live"
    CANARY_ROTATED = "canary-rotated"
    DETACHED = "detached"
    """The API server writes to it, and it no longer has the log's name: it has another or none."""

    @property
    def of_canary(self) -> bool:
        """Whether another process than the real API server wrote it."""
        return self in (Kind.CANARY_LIVE, Kind.CANARY_ROTATED)


@dataclass(frozen=True, slots=True)
class Events:
    """The events of one file."""

    count: int = 0
    first: datetime | None = None
    """The time of the first line."""
    last: datetime | None = None
    """The time of the last line."""
    earliest: datetime | None = None
    """The earliest time of any line."""
    latest: datetime | None = None
    """The latest time of any line."""
    others: int = 0
    """Lines that are no events."""
    truncated: int = 0
    """Events whose bodies the API server cut off."""
    size: int = 0
    """Bytes without compression."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file."""

    number: int
    """Names it within the answer."""
    kind: Kind
    identity: str
    """Its device and inode."""
    disk_bytes: int
    written: int
    """When it was last written to, in seconds since 1970."""
    path: str
    events: Events = field(default_factory=Events)
    skipped: bool = False
    """Whether it was last written before the time that was asked for. Only its first event was read."""
    damaged: bool = False
    """Whether it cannot be uncompressed to its end."""
    digest: str = ""
    """The SHA-256 of the content without compression; "" if it was not asked for."""
    prefix: str = ""
    """The SHA-256 of the bytes that were asked about; "" if this is another file."""
    head: tuple[int, str] = (0, "")
    """Of a file that is written to: the length of its beginning, and the digest of these bytes."""
    upto: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """How many events are not later than each of the times asked for."""

    @property
    def name(self) -> str:
        """The file's name, without its folder and without ``.gz``: compression does not change what it holds."""
        return self.path.rpartition("/")[2].removesuffix(".gz")

    @property
    def rotated_at(self) -> datetime | None:
        """When the API server renamed it, as its name says; None for other names."""
        match = _ROTATED.search(self.path)
        return datetime.strptime(match[1], _ROTATED_TIME).replace(tzinfo=UTC) if match else None


@dataclass(frozen=True, slots=True)
class Limits:
    """How the API server rotates its log, by the node's manifest. None if the manifest does not say."""

    max_age: int | None = None
    """Days that a rotated file is kept; 0 for no limit."""
    max_backup: int | None = None
    """How many rotated files are kept; 0 for no limit."""
    max_size: int | None = None
    """Megabytes of a file."""
    mode: str = ""
    """``blocking``, ``blocking-strict`` or ``batch``; "" for the API server's default, blocking."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one node reported."""

    clock: int
    """The node's own clock, in seconds since 1970."""
    files: tuple[LogFile, ...] = ()
    sums: Sums = field(default_factory=lambda: MappingProxyType({}))
    limits: Limits = field(default_factory=Limits)
    count: Count | None = None
    """The API server's counter, if it was asked for and read."""
    detached: str = ""
    """What its API server writes to instead of the log: the path as the kernel has it; "" if it writes to the log."""
    unreadable: tuple[str, ...] = ()
    """Files that could not be opened."""
    service: str = ""
    """The address of the Service that was asked for."""
    alloy: AlloyState = field(default_factory=AlloyState)
    """What the node knows about the Alloy that was asked for."""

    @property
    def own_files(self) -> tuple[LogFile, ...]:
        """The files that the real API server wrote, oldest first."""
        own = [file for file in self.files if not file.kind.of_canary]
        return tuple(sorted(own, key=lambda file: (file.kind is Kind.LIVE, file.rotated_at or _NEVER, file.number)))

    @property
    def oldest(self) -> datetime | None:
        """When the earliest event in a file of the real API server was made; None without events.

        A canary's log grows at each change, for years. It does not show how far back the real log reaches.
        """
        own = (file for file in self.files if not file.kind.of_canary)
        return min((file.events.earliest for file in own if file.events.earliest), default=None)

    @property
    def newest(self) -> datetime | None:
        """When the latest event in any file was made; None without events."""
        return max((file.events.latest for file in self.files if file.events.latest), default=None)

    def upto(self, stamp: str) -> int:
        """How many events of the real API server are not later than this time. The node must have been asked for it."""
        return sum(file.upto.get(stamp, 0) for file in self.own_files)


_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass
class _Draft:
    """The answer as far as it has been read."""

    facts: dict[str, str] = field(default_factory=dict)
    files: dict[int, dict[str, object]] = field(default_factory=dict)
    sums: list[tuple[Key, Sum]] = field(default_factory=list)
    flags: dict[str, str] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    pods: list[AlloyPod] = field(default_factory=list)
    count: Count | None = None
    marks: list[Mark] = field(default_factory=list)


def parse_reading(output: str) -> Reading:
    """Reads the answer to ``ledger``. Raises AnswerError."""
    draft = _parse(output)
    try:
        return Reading(
            clock=int(draft.facts["clock"]),
            files=tuple(LogFile(**each) for each in draft.files.values()),  # type: ignore[arg-type]
            sums=added(draft.sums),
            limits=_limits(draft.flags),
            count=draft.count,
            detached=draft.facts.get("detached", ""),
            unreadable=tuple(draft.unreadable),
            service=draft.facts.get("service", ""),
            alloy=_alloy(draft),
        )
    except KeyError as error:
        raise AnswerError(f"the answer lacks the line {error.args[0]}") from error


def parse_alloy_state(output: str) -> AlloyState:
    """Reads the answer to ``alloy-state``. Raises AnswerError."""
    return _alloy(_parse(output))


def parse_marks(output: str) -> tuple[Mark, ...]:
    """Reads the answer to ``ledger-events``. Raises AnswerError."""
    return tuple(_parse(output).marks)


def _alloy(draft: _Draft) -> AlloyState:
    return AlloyState(tuple(draft.pods), draft.facts.get("complaint", ""))


def _parse(output: str) -> _Draft:
    lines = output.split("\n")
    if lines[0] != "format 1" or lines[-2:] != ["end", ""]:
        raise AnswerError("the answer is not whole")
    draft = _Draft()
    for line in lines[1:-2]:
        kind, _, rest = line.partition(" ")
        take = _LINES.get(kind)
        if take is None:
            raise AnswerError(f"the answer has an unknown line {kind!r}")
        try:
            take(draft, rest)
        except (ValueError, IndexError, KeyError, binascii.Error) as error:
            raise AnswerError(f"the answer's line {kind!r}: {error}") from error
    return draft


def _file(draft: _Draft, rest: str) -> None:
    number, kind, identity, size, written, path = rest.split(" ")
    draft.files[int(number)] = {
        "number": int(number),
        "kind": Kind(kind),
        "identity": identity,
        "disk_bytes": int(size),
        "written": int(written),
        "path": _text(path),
    }


def _events(draft: _Draft, rest: str) -> None:
    number, count, *times, others, truncated, size = rest.split(" ")
    first, last, earliest, latest = (None if each == "-" else parse_stamp(each) for each in times)
    draft.files[int(number)]["events"] = Events(
        int(count), first, last, earliest, latest, int(others), int(truncated), int(size)
    )


def _sum(draft: _Draft, rest: str) -> None:
    _, minute, stage, count, size, checksum = rest.split(" ")
    draft.sums.append((Key(parse_minute(minute), stage), Sum(int(count), int(size), int(checksum))))


def _upto(draft: _Draft, rest: str) -> None:
    number, stamp, count = rest.split(" ")
    file = draft.files[int(number)]
    before = file.get("upto", {})
    assert isinstance(before, dict)  # noqa: S101 - nothing else is put there
    file["upto"] = {**before, stamp: int(count)}


def _head(draft: _Draft, rest: str) -> None:
    number, length, digest = rest.split(" ")
    draft.files[int(number)]["head"] = (int(length), digest)


def _event(draft: _Draft, rest: str) -> None:
    _, stamp, stage, size, audit_id = rest.split(" ", 4)
    draft.marks.append(Mark(parse_stamp(stamp), json.loads(f'"{audit_id}"'), stage, int(size)))


def _counter(draft: _Draft, rest: str) -> None:
    before, events, after, start = rest.split(" ")
    draft.count = Count(before, int(events), after, start)


def _flag(draft: _Draft, rest: str) -> None:
    name, _, value = rest.partition(" ")
    draft.flags[name] = value


def _of_file(name: str) -> Callable[[_Draft, str], None]:
    def take(draft: _Draft, rest: str) -> None:
        number, *value = rest.split(" ")
        draft.files[int(number)][name] = value[0] if value else True

    return take


def _fact(name: str, *, encoded: bool = False, word: int = 0) -> Callable[[_Draft, str], None]:
    def take(draft: _Draft, rest: str) -> None:
        value = rest.split(" ")[word] if encoded else rest
        draft.facts[name] = _text(value) if encoded else value

    return take


_LINES: Mapping[str, Callable[[_Draft, str], None]] = {
    "clock": _fact("clock"),
    "counter": _counter,
    "flag": _flag,
    "file": _file,
    "events": _events,
    "event": _event,
    "sum": _sum,
    "upto": _upto,
    "digest": _of_file("digest"),
    "prefix": _of_file("prefix"),
    "head": _head,
    "damaged": _of_file("damaged"),
    "skipped": _of_file("skipped"),
    "detached": _fact("detached", encoded=True, word=1),
    "unreadable": lambda draft, rest: draft.unreadable.append(_text(rest)),
    "service": _fact("service"),
    "pod": lambda draft, rest: draft.pods.append(parse_pod(rest.split(" "))),
    "complaint": _fact("complaint", encoded=True),
}


def _limits(flags: Mapping[str, str]) -> Limits:
    def number(name: str) -> int | None:
        value = flags.get(name, "")
        return int(value) if value.isdigit() else None

    return Limits(number("maxage"), number("maxbackup"), number("maxsize"), flags.get("mode", ""))


def _text(encoded: str) -> str:
    return base64.b64decode(encoded, validate=True).decode(errors="replace")


def with_minutes(files: Iterable[LogFile], since: datetime, until: datetime) -> tuple[LogFile, ...]:
    """The files that may hold events from one time to another."""
    return tuple(
        file
        for file in files
        if not file.skipped
        and file.events.earliest is not None
        and file.events.latest is not None
        and file.events.earliest <= until
        and file.events.latest >= since
    )
