"""The audit log in one Loki over one range of time: its events, how far they reach, and its gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import msgspec

from auditlog.events.coverage import SILENCE, Coverage, CoverageWatch, TimeRange
from auditlog.events.event import Event, Sighting
from auditlog.events.loki.access import LokiError
from auditlog.events.loki.client import LokiClient, Series, TooLargeError
from auditlog.events.questions import GapsAnswer, gaps_between
from auditlog.events.reading import DamageLog, Progress, reason_of

PAGE = 1000
"""Lines of one request. Loki allows 5000; bodies make lines long, and an answer is held in memory as a whole."""

LONGEST_REQUEST = timedelta(hours=1)
"""An event is stored under the time of its stage; a watch that began in the range ends at most this much later."""

KNOWN_FOR = timedelta(days=7)
"""A node that wrote this long before the range is expected in it."""

_POINTS = 10_000
"""Steps of one metric query; Loki allows 11,000."""

_SECOND = 1_000_000_000
_MILLISECONDS = "| label_format moment=`{{ __timestamp__ | unixEpochMillis }}` | unwrap moment"


@dataclass(frozen=True, slots=True)
class LokiStore:
    """What is asked: the streams of a selector, within a range of time that has both ends."""

    client: LokiClient
    selector: str
    since: datetime
    until: datetime

    @property
    def time(self) -> TimeRange:
        """The range as the questions take it."""
        return TimeRange(self.since, self.until)

    def read(
        self,
        line_filter: str,
        damage: DamageLog,
        progress: Progress = lambda _: None,
        event_type: type[Event] = Event,
    ) -> Iterator[Sighting]:
        """Every event that passes the filter, oldest first. Lines that are no events are added to `damage`."""
        decode = msgspec.json.Decoder(event_type).decode
        for moment, node, line in self._lines(f"{self.selector} {line_filter}".strip()):
            progress(len(line))
            try:
                yield Sighting(node, decode(line))
            except msgspec.MsgspecError as problem:
                place = f"{node} at {_time(moment).isoformat()}"
                damage.add(place, reason_of(line.encode(), problem, ended=True))

    def lines(self) -> Iterator[tuple[str, str]]:
        """Node and text of every line in the range and the hour after it, oldest first, as for `read`."""
        for _, node, line in self._lines(self.selector):
            yield node, line

    def coverage(self) -> Coverage:
        """How far the events of each node reach, and where it was silent, without reading them."""
        watch = CoverageWatch(self.time)
        for node, moment in self._moments(SILENCE):
            watch.note(node, moment)
        return self._with_counts(watch.result())

    def gaps(self, threshold: timedelta) -> GapsAnswer:
        """The gaps that are longer than a threshold, of a second or more."""
        watch = CoverageWatch(self.time)
        answer = gaps_between(self._noted(watch, min(threshold, SILENCE)), watch, threshold)
        return replace(answer, coverage=self._with_counts(answer.coverage))

    def silent_nodes(self, coverage: Coverage) -> tuple[str, ...]:
        """Nodes that Loki knows from before the range and that have no event in it."""
        labels = self.client.label_sets(self.selector, _nanoseconds(self.since - KNOWN_FOR), _nanoseconds(self.until))
        return tuple(sorted({_node(each) for each in labels} - {node.node for node in coverage.nodes}))

    def _noted(self, watch: CoverageWatch, width: timedelta) -> Iterator[tuple[str, datetime]]:
        for node, moment in self._moments(width):
            watch.note(node, moment)
            yield node, moment

    def entries(self, query: str) -> Iterator[tuple[datetime, dict[str, str], str]]:
        """Time, labels with fields, and text of every line of a log query within the range, oldest first."""
        for moment, labels, line in self._pages(query, _nanoseconds(self.until) + 1):
            yield _time(moment), labels, line

    def _lines(self, query: str) -> Iterator[tuple[int, str, str]]:
        """Time, node and text of every line, and of the hour after: a request is stored under the time of its stage."""
        for moment, labels, line in self._pages(query, _nanoseconds(self.until + LONGEST_REQUEST) + 1):
            yield moment, _node(labels), line

    def _pages(self, query: str, end: int) -> Iterator[tuple[int, dict[str, str], str]]:
        """Time, labels and text of every line, page by page. A page begins with the time that ended the page before.

        Each line is given once. Loki drops a re-sent line only within one stream, and it divides a busy stream into
        several (`shard_streams`, on by default).
        """
        start = _nanoseconds(self.since)
        limit = PAGE
        current, given = start, set[tuple[str, str]]()
        while start < end:
            try:
                streams = self.client.lines(query, start, end, limit)
            except TooLargeError:
                if limit == 1:
                    raise
                limit //= 2
                continue
            found = sorted(
                (
                    (int(moment), _node(stream.stream), line, stream.stream)
                    for stream in streams
                    for moment, line in stream.values
                ),
                key=lambda entry: entry[:3],
            )
            for moment, node, line, labels in found:
                if moment != current:
                    current, given = moment, set()
                if (node, line) not in given:
                    given.add((node, line))
                    yield moment, labels, line
            if len(found) < limit:
                return
            last = found[-1][0]
            if last == start:
                raise LokiError(f"more than {limit} events at {_time(start).isoformat()}; narrow the question")
            start = last

    def _moments(self, width: timedelta) -> Iterator[tuple[str, datetime]]:
        """Each node's first and last event in every window of a width, in the order of time.

        Loki finds them: it sends two numbers for a window instead of its events. No gap longer than a window is missed.
        """
        step = max(1, int(width.total_seconds()))
        first = int(self.since.timestamp()) // step * step + step
        last = max(-(-int(self.until.timestamp()) // step) * step, first + step)
        for start in range(first, last + 1, step * _POINTS):
            end = max(min(start + step * (_POINTS - 1), last), start + step)
            windows: dict[tuple[float, str], list[float]] = {}
            for function in ("min", "max"):
                query = f"{function}_over_time({self.selector} {_MILLISECONDS} [{step}s]) by (cluster, node)"
                for series in self.client.numbers(query, start, end, step):
                    node = _node(series.metric)
                    for moment, value in series.values:
                        windows.setdefault((moment, node), []).append(float(value))
            for (_, node), edges in sorted(windows.items()):
                for edge in edges:
                    written = datetime.fromtimestamp(edge / 1000, UTC)
                    if self.since <= written <= self.until:
                        yield node, written

    def counts(self, line_filter: str = "") -> dict[str, int]:
        """How many events of each node pass the filter."""
        length = int((self.until - self.since).total_seconds() * 1000)
        lines = f"{self.selector} {line_filter}".strip()
        query = f"sum by (cluster, node) (count_over_time({lines} [{length}ms]))"
        return {_node(each.metric): _count(each) for each in self.client.numbers_at(query, _nanoseconds(self.until))}

    def _with_counts(self, coverage: Coverage) -> Coverage:
        counts = self.counts()
        nodes = tuple(replace(node, events=counts.get(node.node, node.events)) for node in coverage.nodes)
        return replace(coverage, nodes=nodes)


def _node(labels: dict[str, str]) -> str:
    """A node's name, with its cluster in front if the shipper names it."""
    return "/".join(labels[name] for name in ("cluster", "node") if labels.get(name)) or "Loki"


def _count(series: Series) -> int:
    return int(float(series.value[1])) if series.value else 0


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * _SECOND + moment.microsecond * 1000


def _time(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / _SECOND, UTC)
