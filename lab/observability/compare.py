"""Nothing lost, nothing twice: the audit events in the nodes' files against those in Loki."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from auditlog.events.logql import streams
from lab.api import Lab
from lab.audit_logs import file_lines
from lab.observability import loki_api
from lab.stack import CLUSTER

SELECTOR = streams(f'cluster="{CLUSTER}"')
"""What the lab's own nodes sent; tests give Loki events of clusters that do not exist."""
LOGS = "var/log/kubernetes/audit"
"""The folder of the log, below a node's root."""
_SHOWN = 5

EventKey = tuple[str, str]
"""auditID and stage, which together name one line of the log."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides as multisets of (auditID, stage), and how many entries a metric query counts in Loki.

    A metric query counts a line that was re-sent after a crash twice, if it is in another block than the first.
    """

    files: Counter[EventKey]
    loki: Counter[EventKey]
    counted: int

    @property
    def missing(self) -> Counter[EventKey]:
        """In files more often than in Loki."""
        return self.files - self.loki

    @property
    def surplus(self) -> Counter[EventKey]:
        """In Loki more often than in files."""
        return self.loki - self.files

    @property
    def equal(self) -> bool:
        return self.files == self.loki

    def lines(self) -> list[str]:
        """Both counts and the difference, for people."""
        found = [
            f"events in files: {self.files.total()}",
            f"entries in Loki: {self.loki.total()} (count_over_time: {self.counted})",
            f"missing in Loki: {self.missing.total()}{_examples(self.missing)}",
            f"too many in Loki: {self.surplus.total()}{_examples(self.surplus)}",
        ]
        return [*found, "equal" if self.equal else "NOT equal"]


def compare(lab: Lab, url: str, since: float = 0, until: float | None = None) -> Comparison:
    """Compare all events whose stageTimestamp is from ``since`` to before ``until``, seconds since 1970.

    ``until`` is by default a moment ago, so that what is being written now is on neither side.
    """
    end = time.time() - 5 if until is None else until
    files: Counter[EventKey] = Counter()
    first = end
    for node in lab.nodes:
        for line in file_lines(lab.paths.node(node.name) / LOGS):
            event = json.loads(line)
            stamp = seconds(event["stageTimestamp"])
            if since <= stamp < end:
                files[event["auditID"], event["stage"]] += 1
                first = min(first, stamp)
    start = since or first - 1
    return Comparison(files, _in_loki(url, start, end), _counted(url, start, end))


def seconds(timestamp: str) -> float:
    """Seconds since 1970 of an event's timestamp."""
    return datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp()


def _in_loki(url: str, start: float, end: float) -> Counter[EventKey]:
    found: Iterable[loki_api.Entry] = loki_api.entries(url, SELECTOR, _nanoseconds(start), _nanoseconds(end))
    events = (json.loads(entry.line) for entry in found)
    return Counter((event["auditID"], event["stage"]) for event in events)


def _counted(url: str, start: float, end: float) -> int:
    # Loki knows ranges of whole milliseconds. One reaches from just after its start to its end, a log query from its
    # start to just before its end.
    window = -(-(_nanoseconds(end) - _nanoseconds(start)) // 1_000_000)
    query = f"sum(count_over_time({SELECTOR}[{window}ms]))"
    samples = loki_api.instant(url, query, _nanoseconds(end) - 1)
    return int(samples[0]["value"][1]) if samples else 0


def _nanoseconds(moment: float) -> int:
    return int(moment * 1_000_000) * 1000


def _examples(events: Counter[EventKey]) -> str:
    shown = ", ".join(f"{audit_id} {stage}" for audit_id, stage in list(events)[:_SHOWN])
    return f" ({shown}{', …' if len(events) > _SHOWN else ''})" if events else ""
