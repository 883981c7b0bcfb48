"""Which part of a time range the events at hand cover.

An answer from logs is only as good as the logs. "Nobody deleted it" and "the log of that hour is gone" must not look
the same. Nothing here depends on where events come from: files or a log store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from auditlog.events.event import Sighting

SILENCE = timedelta(seconds=60)
"""A node without an event for longer than this counts as silent."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A range of time, both ends included; None is open."""

    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it has neither end."""
        return self.since is None and self.until is None

    def overlaps(self, first: datetime, last: datetime) -> bool:
        """Whether something that lasted from `first` to `last` shares a moment with the range."""
        return (self.since is None or last >= self.since) and (self.until is None or first <= self.until)


ANY_TIME = TimeRange()


@dataclass(frozen=True, slots=True)
class Silence:
    """A time without events."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it lasted."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class NodeCoverage:
    """One node's events in the asked range: how many, the first and the last, and its silences."""

    node: str
    first: datetime
    last: datetime
    events: int
    silences: int
    silent_seconds: float
    longest_silence: Silence | None


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A part of the asked range in which a node has no events. None is an open end of the range."""

    node: str
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The range that was asked for, and what the events cover of it."""

    asked: TimeRange
    nodes: tuple[NodeCoverage, ...]
    uncovered: tuple[Uncovered, ...]


@dataclass(slots=True)
class _Seen:
    began: datetime
    """The time of the event that passed first; an earlier time may have passed later."""
    first: datetime
    last: datetime
    events: int = 0
    silences: int = 0
    silent: timedelta = timedelta()
    longest: Silence | None = None
    kept: list[Silence] = field(default_factory=list)
    """Every silence, if they are kept."""

    def wrote(self, moment: datetime) -> Silence | None:
        """Moves the end to a moment. Returns the silence before it."""
        if moment < self.first:
            self.first = moment
        if moment <= self.last:
            return None
        silence = None
        if moment - self.last > SILENCE:
            silence = Silence(self.last, moment)
            self.silences += 1
            self.silent += silence.length
            if self.longest is None or silence.length > self.longest.length:
                self.longest = silence
        self.last = moment
        return silence


@dataclass(slots=True)
class CoverageWatch:
    """Notes the events that pass by. They are expected in the order they were written, up to small jitter."""

    asked: TimeRange
    keeps_silences: bool = False
    """Whether it can be merged into another watch. It then keeps every silence, so memory is not bounded."""
    _nodes: dict[str, _Seen] = field(default_factory=dict)
    _outside: set[str] = field(default_factory=set)

    def over(self, sightings: Iterable[Sighting]) -> Iterator[Sighting]:
        """The sightings that are in the asked range, each after it is noted."""
        is_open = self.asked.is_open
        for sighting in sightings:
            event = sighting.event
            if not is_open and not self.asked.overlaps(event.request_received_timestamp, event.stage_timestamp):
                self._outside.add(sighting.node)
                continue
            self.note(sighting.node, event.stage_timestamp)
            yield sighting

    def note(self, node: str, moment: datetime) -> None:
        """Notes that a node wrote an event at a moment within the range."""
        seen = self._nodes.get(node)
        if seen is None:
            seen = self._nodes[node] = _Seen(moment, moment, moment)
        seen.events += 1
        if seen.last < moment and moment - seen.last <= SILENCE:
            # What nearly every event does, without a call.
            seen.last = moment
            return
        silence = seen.wrote(moment)
        if silence is not None and self.keeps_silences:
            seen.kept.append(silence)

    def merge(self, later: CoverageWatch) -> None:
        """Adds what a watch noted of the events that follow, as if they had passed here. It must keep its silences."""
        for node, part in later._nodes.items():
            seen = self._nodes.get(node)
            if seen is None:
                self._nodes[node] = replace(part, kept=[])
                continue
            seen.events += part.events
            seen.wrote(part.began)
            for silence in part.kept:
                # Up to its start the part was never silent, wherever the parts before it end.
                seen.last = max(seen.last, silence.start)
                seen.wrote(silence.end)
            seen.last = max(seen.last, part.last)
            seen.first = min(seen.first, part.first)
        self._outside |= later._outside

    def result(self) -> Coverage:
        """The coverage of everything that passed so far."""
        nodes = tuple(
            NodeCoverage(
                node, seen.first, seen.last, seen.events, seen.silences, seen.silent.total_seconds(), seen.longest
            )
            for node, seen in self._nodes.items()
        )
        return Coverage(self.asked, nodes, tuple(self._uncovered(nodes)))

    def _uncovered(self, nodes: Iterable[NodeCoverage]) -> Iterator[Uncovered]:
        since, until = self.asked.since, self.asked.until
        for node in nodes:
            if since is not None and node.first - since > SILENCE:
                yield Uncovered(node.node, since, node.first)
            if until is not None and until - node.last > SILENCE:
                yield Uncovered(node.node, node.last, until)
        for name in sorted(self._outside - self._nodes.keys()):
            yield Uncovered(name, since, until)
