"""Reading a log for a question by several processes.

What every question needs of every event is found where the event is read: the evidence, the coverage, the damage. Only
events that this question may want pass on to it, in their order. So the answer is the same as from one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial

import msgspec

from auditlog.events.coverage import CoverageWatch
from auditlog.events.event import Event, Recorded, Sighting
from auditlog.events.evidence import Evidence
from auditlog.events.parts import Part, in_processes, open_part
from auditlog.events.reading import UNREADABLE, DamageLog, Progress, Unread, events_in

PART_BYTES = 16 * 1024 * 1024
"""A part takes a process about as long as it takes to start one."""

MOST_BYTES = 4 * 1024 * 1024
"""The most lines of a part that pass on. If more are wanted, the part is read again where they are needed."""

Wanted = Callable[[Event], bool]
"""Whether a question may want an event. It must not depend on events that passed before."""


@dataclass(frozen=True, slots=True)
class PartsReading:
    """How a log is read in parts. `wanted` is called once in each process; it passes between processes."""

    parts: Sequence[Part]
    processes: int
    wanted: Callable[[], Wanted]
    event_type: type[Event] = Event


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found in a part."""

    evidence: Evidence
    watch: CoverageWatch
    unread: Unread
    lines: tuple[bytes, ...] | None
    """The lines of the events that may be wanted; None if they are too many to pass on."""


def read_in_parts(
    reading: PartsReading,
    evidence: Evidence,
    watch: CoverageWatch,
    damage: DamageLog,
    progress: Progress = lambda _: None,
) -> Iterator[Sighting]:
    """The events that may be wanted. What all events say is added to `evidence`, `watch` and `damage` meanwhile.

    Raises AuditlogError like `auditlog.events.parts.in_processes`.
    """
    decode = msgspec.json.Decoder(reading.event_type).decode
    make = partial(_reader, reading.wanted, evidence.of_next_part(), reading.event_type)
    files: dict[str, Unread] = {}
    with closing(in_processes(reading.parts, reading.processes, make, progress)) as results:
        for part, found in zip(reading.parts, results, strict=True):
            evidence.merge(found.evidence)
            watch.merge(found.watch)
            files.setdefault(part.file.path, Unread()).merge(found.unread)
            if found.lines is None:
                yield from _wanted_of(part, reading)
            else:
                for line in found.lines:
                    yield Sighting(part.file.node, decode(line))
    for path, unread in files.items():
        damage.add_file(path, unread)


def _reader(wanted: Callable[[], Wanted], evidence: Evidence, event_type: type[Event]) -> Callable[[Part], _Found]:
    return partial(_find, wanted(), evidence, event_type)


def _find(wanted: Wanted, empty: Evidence, event_type: type[Event], part: Part) -> _Found:
    evidence, unread = empty.of_next_part(), Unread()
    watch = CoverageWatch(evidence.time, keeps_silences=True)
    lines: list[bytes] = []
    room = MOST_BYTES

    def noted() -> Iterator[Sighting]:
        nonlocal room
        for recorded in evidence.over(_read(part, event_type, unread)):
            if wanted(recorded.event) and isinstance(recorded, Recorded):
                room -= len(recorded.line)
                if room >= 0:
                    lines.append(recorded.line)
                else:
                    lines.clear()
            yield recorded

    try:
        for _ in watch.over(noted()):
            pass
    except UNREADABLE as problem:
        unread.stop(problem)
    return _Found(evidence.found(), watch, unread, tuple(lines) if room >= 0 else None)


def _wanted_of(part: Part, reading: PartsReading) -> Iterator[Sighting]:
    wanted = reading.wanted()
    # What cannot be read was noted before.
    with suppress(*UNREADABLE):
        for recorded in _read(part, reading.event_type, Unread()):
            if wanted(recorded.event):
                yield Sighting(recorded.node, recorded.event)


def _read(part: Part, event_type: type[Event], unread: Unread) -> Iterator[Recorded]:
    with open_part(part) as (stream, _, length):
        yield from events_in(part.file.node, stream, unread, event_type, Recorded, length)
