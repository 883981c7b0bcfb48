"""Loki's side of the ledger: sums by minute without moving a line, and the events of minutes that differ.

``count_over_time``, ``bytes_over_time`` and ``sum_over_time`` of the checksum give a few numbers a minute. They count a
re-sent line as often as it is stored. So a log query, which shows the line once, reads each minute that differs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from auditlog.events import logql
from auditlog.events.loki.access import DeniedError, LokiError
from auditlog.events.loki.client import LokiClient, TooLargeError
from auditlog.ledger.checksum import loki_template
from auditlog.ledger.marks import Mark
from auditlog.ledger.minutes import Minute, Span
from auditlog.ledger.sums import Key, Sum
from auditlog.units import MINUTE

EVENTS_OF_A_QUERY = 100_000
"""The most events whose checksums are asked for at a time.

Each takes Loki about 20 microseconds of processor time. By default Loki ends an answer after 30 seconds
(``http_server_write_timeout``).
"""
MINUTES_OF_A_QUERY = 1440
PAGE = 5000
"""Lines of one request: the most that Loki allows by default. Each is an ID with its stage and size."""
EARLIER = timedelta(days=7)
"""How far back Loki is asked whether it has any event of a node."""

_SECOND = 1_000_000_000
_BY = "sum by (node, stage)"
_ID_LINE = "{{ .auditID }} {{ .stage }} {{ len __line__ }}"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as Loki shows it."""

    labels: Mapping[str, str]
    """The stream's labels and the entry's structured metadata."""
    nanoseconds: int
    """Its time, since 1970."""
    line: str

    @property
    def mark(self) -> Mark:
        """The event that it holds."""
        size = len(self.line.encode(errors="surrogateescape"))
        return Mark(_moment(self.nanoseconds), self.labels.get("auditID", ""), self.labels.get("stage", ""), size)


@dataclass(slots=True)
class LokiReader:
    """Asks Loki for the streams of a cluster. ``queries`` counts the queries."""

    client: LokiClient
    cluster: str
    queries: int = 0

    @property
    def selector(self) -> str:
        """The selector of the cluster's streams."""
        return logql.streams(f"cluster={json.dumps(self.cluster, ensure_ascii=False)}")

    def sums(self, span: Span) -> dict[str, dict[Key, Sum]]:
        """The sums of every node, by its name. Raises LokiError."""
        counts: dict[tuple[str, Key], int] = {}
        sizes: dict[tuple[str, Key], int] = {}
        for part in _parts(span, MINUTES_OF_A_QUERY):
            counts |= self._in_parts(f"{_BY} (count_over_time({self.selector}[1m]))", part)
            sizes |= self._in_parts(f"{_BY} (bytes_over_time({self.selector}[1m]))", part)
        by_minute: dict[Minute, int] = {}
        for (_, key), count in counts.items():
            by_minute[key.minute] = by_minute.get(key.minute, 0) + count
        unwrapped = f'{self.selector} | label_format ledger="{_quoted(loki_template())}" | unwrap ledger'
        query = f"{_BY} (sum_over_time({unwrapped} [1m]))"
        checksums: dict[tuple[str, Key], int] = {}
        for part in _of_size(by_minute, EVENTS_OF_A_QUERY):
            checksums |= self._in_parts(query, part)
        result: dict[str, dict[Key, Sum]] = {}
        for (node, key), count in counts.items():
            result.setdefault(node, {})[key] = Sum(count, sizes.get((node, key), 0), checksums.get((node, key), 0))
        return result

    def marks(self, node: str, span: Span) -> Iterator[Mark]:
        """The events of some minutes of a node, each as Loki shows it, oldest first. Raises LokiError."""
        query = f"{self.selector[:-1]}, node=`{node}`}} | line_format `{_ID_LINE}` | keep node"
        start, end = span.since * _SECOND + 1, span.until * _SECOND + 1
        limit, seen, current = PAGE, set[str](), start
        while start < end:
            self.queries += 1
            try:
                streams = self.client.lines(query, start, end, limit)
            except TooLargeError:
                limit //= 2
                continue
            found = sorted((int(moment), line) for stream in streams for moment, line in stream.values)
            for moment, line in found:
                if moment != current:
                    current, seen = moment, set()
                if line not in seen:
                    seen.add(line)
                    yield _mark(moment, line)
            if len(found) < limit:
                return
            if found[-1][0] == start:
                raise LokiError(f"more than {limit} events at one moment of {node}; they cannot be told apart")
            start = found[-1][0]

    def shown(self, text: str, since: int, until: int) -> tuple[Entry, ...]:
        """The few entries with a text in their line, from one nanosecond to before another. Raises LokiError."""
        self.queries += 1
        found = self.client.lines(f"{self.selector} |= `{text}`", since, until, PAGE)
        return tuple(Entry(stream.stream, int(moment), line) for stream in found for moment, line in stream.values)

    def has_earlier(self, node: str, minute: Minute) -> bool:
        """Whether Loki's index has any stream of a node in the week before a minute. Raises LokiError."""
        self.queries += 1
        selector, week = f"{self.selector[:-1]}, node=`{node}`}}", int(EARLIER.total_seconds())
        return bool(self.client.label_sets(selector, (minute - week) * _SECOND, minute * _SECOND))

    def _in_parts(self, query: str, span: Span) -> dict[tuple[str, Key], int]:
        try:
            return self._numbers(query, span)
        except DeniedError:
            raise
        except LokiError:
            # It may have run out of time; half of it may not.
            if len(span) < 2:
                raise
            middle = span.since + len(span) // 2 * MINUTE
            return self._in_parts(query, Span(span.since, middle)) | self._in_parts(query, Span(middle, span.until))

    def _numbers(self, query: str, span: Span) -> dict[tuple[str, Key], int]:
        self.queries += 1
        result: dict[tuple[str, Key], int] = {}
        for series in self.client.numbers(query, span.since + MINUTE, span.until, MINUTE):
            node, stage = series.metric.get("node", ""), series.metric.get("stage", "")
            for moment, value in series.values:
                minute = int(moment) - MINUTE
                if minute in span:
                    result[node, Key(minute, stage)] = int(float(value))
        return result


def _parts(span: Span, minutes: int) -> Iterator[Span]:
    for since in range(span.since, span.until, minutes * MINUTE):
        yield Span(since, min(since + minutes * MINUTE, span.until))


def _of_size(counts: Mapping[Minute, int], events: int) -> Iterator[Span]:
    """Spans over the minutes that have events. A span has at most ``events`` events, unless it is a single minute."""
    since = until = None
    total = 0
    for minute, count in sorted(counts.items()):
        if (
            since is not None
            and until is not None
            and (total + count > events or minute - since >= MINUTES_OF_A_QUERY * MINUTE)
        ):
            yield Span(since, until)
            since, total = None, 0
        since = minute if since is None else since
        until = minute + MINUTE
        total += count
    if since is not None and until is not None:
        yield Span(since, until)


def _mark(nanoseconds: int, line: str) -> Mark:
    audit_id, stage, size = line.rsplit(" ", 2)
    return Mark(_moment(nanoseconds), audit_id, stage, int(size))


def _moment(nanoseconds: int) -> datetime:
    seconds, rest = divmod(nanoseconds, _SECOND)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


def _quoted(template: str) -> str:
    return template.replace("`", '\\"')
