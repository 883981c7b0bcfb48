"""From when to when a node's log reaches, without reading it: the first event of its first file, the last of its last.

A compressed file must be read to its end, but only if it is the newest of its node.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from auditlog.events.reading import UNREADABLE, blocks, lines_of, seek_to_line
from auditlog.events.sources import LogFile, LogSet, open_log
from auditlog.units import DAY

_END = 8 * 1024 * 1024
"""Bytes at the end of a file that nearly always hold a whole event. If not, the file is searched."""


@dataclass(frozen=True, slots=True)
class Span:
    """The stage timestamps of a node's first and last event."""

    first: datetime
    last: datetime

    @property
    def days(self) -> float:
        """Its length in days of 24 hours."""
        return (self.last - self.first).total_seconds() / DAY

    def at(self, share: float) -> str:
        """The moment after this share of the span, as a log writes times."""
        return (self.first + (self.last - self.first) * share).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class _Moment(Struct, gc=False, rename="camel"):
    stage_timestamp: datetime


_decode = msgspec.json.Decoder(_Moment).decode


def spans(logs: LogSet) -> dict[str, Span]:
    """The span of each node whose log has an event."""
    by_node: dict[str, list[LogFile]] = {}
    for file in logs.files:
        by_node.setdefault(file.node, []).append(file)
    found = {node: _span(files) for node, files in by_node.items()}
    return {node: span for node, span in found.items() if span}


def _span(files: Sequence[LogFile]) -> Span | None:
    first = next((moment for file in files if (moment := _first(file))), None)
    last = next((moment for file in reversed(files) if (moment := _last(file))), None)
    return Span(first, last) if first and last and last > first else None


def _first(file: LogFile) -> datetime | None:
    return next(iter(_moments(file, 0)), None)


def _last(file: LogFile) -> datetime | None:
    starts = (0,) if file.compressed or file.size <= _END else (file.size - _END, 0)
    for start in starts:
        last = None
        for last in _moments(file, start):  # noqa: B007 - the last one is wanted
            pass
        if last:
            return last
    return None


def _moments(file: LogFile, start: int) -> Iterable[datetime]:
    """The times of the first and the last event of every block from `start` on."""
    try:
        stream, raw = open_log(file)
        with raw, stream:
            seek_to_line(stream, start, None)
            for buffer, end in blocks(stream):
                lines = lines_of(buffer, end)
                for ordered in (lines, reversed(lines)):
                    moment = next((moment for line in ordered if (moment := _moment(line))), None)
                    if moment:
                        yield moment
    except UNREADABLE:
        return


def _moment(line: bytes) -> datetime | None:
    try:
        return _decode(line).stage_timestamp
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
