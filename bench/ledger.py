"""The ledger over a million events of three nodes, and the bytes that it moves, beside moving the events.

    python -m bench.ledger [--events 1000000]

Real Loki holds what the files hold, an hour of it. The ledger is asked as a person would: with digests of every file
(``--chain``), against Loki, from one process. Its peer reads the lines of one minute from Loki, as a comparison event
by event would have to read all of them. Then seven events are taken out of a file, and the ledger is asked again.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import re
import resource
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from auditlog.cli import main as auditlog
from lab.observability import loki_api
from tests.observability.ledger_logs import Logs
from tests.observability.pipeline import Pipeline, running

NODES = ("cp1", "cp2", "cp3")
HOUR = 3600
FILES = 10
"""Rotated files of each node; every second one is compressed."""
BATCH = 5000
LIMITS = {
    "ingestion_rate_mb": 512,
    "ingestion_burst_size_mb": 1024,
    "per_stream_rate_limit": "512MB",
    "per_stream_rate_limit_burst": "1GB",
}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=1_000_000)
    rate = parser.parse_args().events / len(NODES) / HOUR
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    begin = now - timedelta(seconds=HOUR + 300)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "pipeline", LIMITS) as pipeline:
        events = size = 0
        for node in NODES:
            logs = Logs(Path(folder) / node, begin, seed=hash(node) % 1000)
            for lines in written(logs, rate):
                events += len(lines)
                size += sum(map(len, lines))
                push(pipeline, node, lines)
        packed = sum(path.stat().st_size for node in NODES for path in (Path(folder) / node).iterdir())
        print(f"{events} events of {len(NODES)} nodes, {size / 1e6:.0f} MB of log, {packed / 1e6:.0f} MB on the disk")
        found = measured(pipeline, "ledger", lambda: ask(pipeline, Path(folder), begin))
        assert found["verdict"] == "complete", found["findings"]  # noqa: S101
        assert sum(node["events_in_loki"] for node in found["nodes"]) == events  # noqa: S101
        print(f"  moved: {moved(found)}")
        one_minute = measured(
            pipeline, "one minute read from Loki", lambda: lines_of(pipeline, begin + timedelta(minutes=30))
        )
        print(f"  {one_minute[0]} lines, {one_minute[1] / 1e6:.1f} MB; {HOUR // 60} times that for all")
        path = Path(folder) / "cp2" / "audit.log"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-7]))
        found = measured(pipeline, "ledger, seven events taken out", lambda: ask(pipeline, Path(folder), begin))
        (finding,) = [each for each in found["findings"] if each["kind"] == "log-emptied"]
        print(f"  moved: {moved(found)}; named: {len(finding['events'])}")
        print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def written(logs: Logs, rate: float) -> Iterator[list[str]]:
    """Writes one node's files and gives their lines."""
    each = HOUR / FILES
    for number in range(FILES - 1):
        lines = logs.lines(number * each, (number + 1) * each, rate)
        logs.rotated(lines, (number + 1) * each, compress=number % 2 == 0)
        logs.written.clear()
        yield lines
    lines = logs.lines(HOUR - each, HOUR, rate)
    logs.live.write_text("".join(lines))
    yield lines


def push(pipeline: Pipeline, node: str, lines: list[str]) -> None:
    """Gives Loki the lines as Alloy would: the same labels, structured metadata and times."""

    def send(batch: list[str]) -> None:
        values = []
        for line in batch:
            event = json.loads(line)
            moment = datetime.fromisoformat(event["stageTimestamp"].replace("Z", "+00:00"))
            nanoseconds = int(moment.timestamp()) * 10**9 + moment.microsecond * 1000
            metadata = {"auditID": event["auditID"], "stage": event["stage"], "verb": event["verb"]}
            metadata |= {"user": event["user"]["username"], "resource": "configmaps", "userAgent": event["userAgent"]}
            values.append([str(nanoseconds), line.rstrip("\n"), metadata])
        stream = {"stream": {"job": "kubernetes-audit", "cluster": "lab", "node": node}, "values": values}
        request = urllib.request.Request(  # noqa: S310 - the loopback
            f"{pipeline.loki_url}/loki/api/v1/push",
            data=gzip.compress(json.dumps({"streams": [stream]}).encode(), 1),
            headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
        )
        urllib.request.urlopen(request, timeout=60).close()  # noqa: S310 - the loopback

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(send, (lines[at : at + BATCH] for at in range(0, len(lines), BATCH))))


def ask(pipeline: Pipeline, folder: Path, begin: datetime) -> Any:
    """The ledger's answer."""
    logs = [f"{node}={folder / node / 'audit.log'}" for node in NODES]
    range_of = ("--since", begin.isoformat(), "--until", (begin + timedelta(seconds=HOUR)).isoformat())
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        asked = ("--loki", pipeline.loki_url, "--cluster", "lab", "--chain", str(folder / "chain.jsonl"), "-o", "json")
        auditlog(["ledger", *logs, *asked, *range_of])
    return json.loads(said.getvalue())


def lines_of(pipeline: Pipeline, minute: datetime) -> tuple[int, int]:
    """How many lines a minute has, and their bytes."""
    start = int(minute.timestamp()) * 10**9
    entries = list(loki_api.entries(pipeline.loki_url, '{job="kubernetes-audit"}', start + 1, start + 60 * 10**9 + 1))
    return len(entries), sum(len(entry.line) for entry in entries)


def moved(found: Any) -> str:
    """What the nodes and Loki answered."""
    return f"{found['bytes_from_nodes'] / 1e3:.0f} kB from the nodes, {found['bytes_from_loki'] / 1e3:.0f} kB from Loki"


def measured(pipeline: Pipeline, name: str, work: Callable[[], Any]) -> Any:
    """Does the work, and prints how long it took, with the processor time of the nodes' and the operator's side and
    that of Loki."""
    began, used, used_by_loki = time.perf_counter(), processor_time(), loki_time(pipeline)
    result = work()
    took, used, used_by_loki = (
        time.perf_counter() - began,
        processor_time() - used,
        loki_time(pipeline) - used_by_loki,
    )
    print(f"{name:<32} {took:6.1f} s; processor: {used:5.1f} s here, {used_by_loki:5.1f} s in Loki", flush=True)
    return result


def loki_time(pipeline: Pipeline) -> float:
    """Seconds that Loki has used a core."""
    with urllib.request.urlopen(f"{pipeline.loki_url}/metrics", timeout=60) as answer:  # noqa: S310 - the loopback
        found = re.search(rb"^process_cpu_seconds_total (.*)$", answer.read(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def processor_time() -> float:
    """Seconds that this process and those it waited for have used a core."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    main()
