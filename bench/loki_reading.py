"""What Loki reads in a day for rules and dashboards: now, beside the first release, on the same events in the same run.

    python -m bench.loki_reading [--seconds 86400]

Real Loki holds a day of the events of `tests/unit/events/generate.py`, one a second. Each query is asked once, as
Grafana or the ruler would ask it, and Loki says in its answer how many bytes it has read. A rule counts as often as it
is evaluated in a day; a panel as often as its dashboard loads: by its refresh, when it is open all day, and 24 times.
Closed rows read nothing. The first release comes out of the repository's history.

The same events are there once more with a stream label that divides reads from writes, for the rules that look at
requests of one sort only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from auditlog.detections.catalogue import find
from auditlog.detections.model import Events
from auditlog.units import DAY, seconds_of
from lab.paths import REPOSITORY
from tests.earlier_version import earlier_version
from tests.grafana import built_in, fill, initial_state, queries
from tests.observability.given_events import push_lines
from tests.observability.pipeline import running
from tests.unit.events.generate import encode, events

POINTS = 500
"""Steps of a panel as wide as half a screen."""
LOADS = 24
READS = frozenset({"get", "list", "watch"})
LIMITS = {
    "ingestion_rate_mb": 512,
    "ingestion_burst_size_mb": 1024,
    "per_stream_rate_limit": "512MB",
    "per_stream_rate_limit_burst": "1GB",
}
_SHOW = """
import json
from auditlog.observe.dashboards import DashboardOptions, all_dashboards
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_rules
print(json.dumps({
    "groups": loki_rules(RuleScope("prod", ("cp1",))).groups,
    "dashboards": [json.loads(each.json) for each in all_dashboards(DashboardOptions())],
}))
"""


@dataclass
class Reading:
    """A Loki, the moment at which its log ends, and the queries that it refused."""

    url: str
    end: float
    refused: list[str] = field(default_factory=list)

    def instant(self, query: str) -> int:
        """The bytes that Loki reads for a metric query at the end of the log."""
        return self._ask("query", {"query": query, "time": f"{self.end:.3f}"})

    def over(self, query: str, span: int, step: int) -> int:
        """The same over a range."""
        edges = {"start": f"{self.end - span:.3f}", "end": f"{self.end:.3f}"}
        return self._ask("query_range", {"query": query, **edges, "step": str(step), "limit": "1000"})

    def _ask(self, path: str, parameters: Mapping[str, str]) -> int:
        address = f"{self.url}/loki/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address, timeout=300) as answer:  # noqa: S310 - the loopback
                return int(json.load(answer)["data"]["stats"]["summary"]["totalBytesProcessed"])
        except urllib.error.HTTPError as refused:
            with refused:
                self.refused.append(f"{refused.read(200).decode(errors='replace')}: {parameters['query'][:120]}")
            return 0


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=int, default=DAY, help="how long the log is (%(default)s)")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "pipeline", LIMITS) as pipeline:
        end = time.time() - 1
        size, writes = given(pipeline.loki_url, end, seconds)
        reading = Reading(pipeline.loki_url, end)
        whole = reading.instant(f'sum(count_over_time({{job="kubernetes-audit", cluster="prod"}}[{seconds}s]))')
        day = whole * DAY / seconds
        print(f"{seconds} events, {size / 1e6:.0f} MB of log, {writes / size:.0%} of it writes", flush=True)
        before = shown(earlier_version(Path(folder) / "before"))
        now = shown(REPOSITORY)
        found = {
            name: (rules(reading, version["groups"]) / day, *dashboards(reading, version["dashboards"], day))
            for name, version in (("before", before), ("now", now))
        }
        rows = ("rules", "four dashboards, open all day", f"the same, loaded {LOADS} times")
        print("days of log that Loki reads in a day: before, now, ratio")
        for row, old, new in zip(rows, found["before"], found["now"], strict=True):
            print(f"  {row}: {old:.0f}, {new:.0f}, {old / new:.1f}")
        loaded = found["before"][0] + found["before"][2], found["now"][0] + found["now"][2]
        opened = found["before"][0] + found["before"][1], found["now"][0] + found["now"][1]
        print(f"  rules and dashboards: open all day {opened[0] / opened[1]:.0f} times less, loaded ", end="")
        print(f"{LOADS} times {loaded[0] / loaded[1]:.1f} times less")
        divided = rules(reading, in_divided_streams(now["groups"])) / day
        print(f"rules with streams divided in reads and writes: {divided:.1f}, of {found['now'][0]:.1f} without")
        print(f"refused by Loki, counted as nothing: {len(reading.refused)}")
        for each in reading.refused:
            print(f"  {each}")
        print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def given(url: str, end: float, seconds: int) -> tuple[int, int]:
    """Gives Loki a log that ends at ``end``, in one stream and in two; the bytes of it all and of its writes."""
    size = written = 0
    kinds: dict[str, list[tuple[float, str]]] = {"": [], "read": [], "write": []}
    begin = datetime.fromtimestamp(end - seconds, UTC)
    for number, event in enumerate(_events(begin, seconds)):
        line = encode(event).decode().rstrip("\n")
        kind = "read" if event["verb"] in READS else "write"
        size += len(line)
        written += len(line) if kind == "write" else 0
        for each in ("", kind):
            kinds[each].append((end - seconds + number, line))
    for kind, lines in kinds.items():
        more = {"access": kind} if kind else {}
        push_lines(url, "divided" if kind else "prod", "cp1", lines, more)
    return size, written


def _events(begin: datetime, count: int) -> Iterator[dict[str, Any]]:
    made = events(1, start=begin, seconds_between=1)
    for number in range(count):
        event = next(made)
        # One a second, whatever the generator adds to it: a line's time is that of the log.
        moment = (begin + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        yield {**event, "requestReceivedTimestamp": moment, "stageTimestamp": moment}


def shown(folder: Path) -> Any:
    """Rules and dashboards of the version in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    run = subprocess.run([sys.executable, "-c", _SHOW], cwd=folder, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout)


def rules(reading: Reading, groups: Sequence[Mapping[str, Any]]) -> float:
    """The bytes that all rules read in a day."""
    return sum(
        reading.instant(rule["expr"]) * DAY / seconds_of(group["interval"])
        for group in groups
        for rule in group["rules"]
    )


def dashboards(reading: Reading, documents: Sequence[Mapping[str, Any]], day: float) -> tuple[float, float]:
    """Days of log that the dashboards read in a day: open all day, and loaded ``LOADS`` times."""
    opened = loaded = 0.0
    for document in documents:
        bytes_read = sum(_panels(reading, document))
        refresh = document.get("refresh") or ""
        opened += bytes_read * (DAY / seconds_of(refresh) if refresh else 1)
        loaded += bytes_read * LOADS
    return opened / day, loaded / day


def _panels(reading: Reading, document: Mapping[str, Any]) -> Iterator[int]:
    """The bytes of each query of the panels in open rows, and of the marks."""
    span = int(seconds_of(document["time"]["from"].removeprefix("now-")))
    step = max(1, span // POINTS)
    open_rows = [each for each in document["panels"] if not each.get("collapsed")]
    for query in queries({**document, "panels": open_rows}):
        if query.datasource != "loki" or query.kind == "label":
            continue
        text = fill(query, document, initial_state(document), built_in(query, window=span, step=step))
        yield reading.instant(text) if query.kind == "instant" else reading.over(text, span, step)


def in_divided_streams(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rules for the divided log, each with a selector of the stream that it can be sure with."""
    return [
        {**group, "rules": [{**rule, "expr": _divided(rule["expr"], rule["labels"]["detection"])} for rule in rules]}
        for group in groups
        for rules in [group["rules"]]
    ]


def _divided(expression: str, detection_id: str) -> str:
    detection = find(detection_id)
    kinds = set()
    if detection is not None and isinstance(detection.source, Events):
        for requests in detection.source.requests:
            kinds |= {"read" if verb in READS else "write" for verb in requests.verbs} or {"read", "write"}
            kinds |= {"read", "write"} if "*" in requests.verbs else set()
    selector = 'cluster="divided"' + (f', access="{kinds.pop()}"' if len(kinds) == 1 else "")
    return expression.replace('cluster="prod"', selector)


if __name__ == "__main__":
    main()
