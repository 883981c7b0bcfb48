"""Replay speed beside a bare `orjson.loads` pass over the same file, in one run.

    python -m bench.replay [--megabytes 300] [--rounds 5]

A log is made once per run in a temporary folder. Each round measures, one after the other so that they meet the same
machine: orjson parsing every line to objects on one core and doing nothing with them; replay without a policy; replay
of the log under a policy; and the same with two processes. Printed are the best of the rounds in MB/s, the ratios to
orjson, and the processor time, which other work on the machine changes little. Bodies, identities and the share of each
kind of request are those of tests/unit/events/generate.py.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from math import inf
from pathlib import Path

import orjson

from auditlog.events.replay import ReplaySettings, replay
from auditlog.events.sources import LogSet, find_logs
from auditlog.policy.model import Policy
from auditlog.policy.presets import preset_text
from auditlog.policy.read import read_policy
from tests.unit.events.generate import encode, events

MEGABYTE = 1_000_000
_DISTINCT_EVENTS = 200_000


def make_log(path: Path, megabytes: int) -> None:
    """Writes a log of about that size; after `_DISTINCT_EVENTS` events they come again."""
    content = b"".join(encode(event) for event in islice(events(2025, seconds_between=0.02), _DISTINCT_EVENTS))
    left = megabytes * MEGABYTE
    with path.open("wb") as log:
        while left > 0:
            piece = content if left >= len(content) else content[: content.rfind(b"\n", 0, left) + 1]
            log.write(piece)
            left -= len(content)


def parse(path: Path) -> int:
    """The peer: every line becomes a Python object. Returns the number of lines."""
    loads, count = orjson.loads, 0
    with path.open("rb") as log:
        for line in log:
            loads(line)
            count += 1
    return count


@dataclass(slots=True)
class Best:
    """The least time a work took, and the least processor time, its processes' too; in seconds."""

    wall: float = inf
    processor: float = inf

    def measure(self, work: Callable[[], int]) -> int:
        """Does the work once more and returns its result."""
        wall, processor = time.perf_counter(), processor_time()
        result = work()
        self.wall = min(self.wall, time.perf_counter() - wall)
        self.processor = min(self.processor, processor_time() - processor)
        return result


def processor_time() -> float:
    """Seconds this process and those it waited for have used a core."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def replayed(logs: LogSet, policy: Policy | None, processes: int) -> int:
    """Events that replay counted."""
    return replay(logs, ReplaySettings(policy=policy, processes=processes)).recorded.events


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--policy", default="low-write", help="preset to replay under")
    arguments = parser.parse_args()
    policy = read_policy(preset_text(arguments.policy), arguments.policy)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.log"
        make_log(path, arguments.megabytes)
        size = path.stat().st_size / MEGABYTE
        logs = find_logs([str(path)])
        works: dict[str, Callable[[], int]] = {
            "orjson.loads, 1 core": lambda: parse(path),
            "replay, no policy, 1 process": lambda: replayed(logs, None, 1),
            f"replay under {arguments.policy}, 1 process": lambda: replayed(logs, policy, 1),
            f"replay under {arguments.policy}, 2 processes": lambda: replayed(logs, policy, 2),
        }
        best = {name: Best() for name in works}
        counted: set[int] = set()
        for _ in range(arguments.rounds):
            for name, work in works.items():
                counted.add(best[name].measure(work))
    if len(counted) != 1:
        raise SystemExit(f"the passes disagree on the number of events: {sorted(counted)}")
    peer, _, one, two = best.values()
    print(f"{size:.0f} MB, {counted.pop()} events, best of {arguments.rounds}, {os.cpu_count()} cores")
    for name, each in best.items():
        print(
            f"{name:<40} {size / each.wall:6.0f} MB/s  {peer.wall / each.wall:5.2f} x orjson.loads"
            f"   {each.processor:5.2f} s of processor time"
        )
    print(
        f"2 processes: {one.wall / two.wall:.2f} times as fast as 1, "
        f"with {two.processor / one.processor:.2f} times its processor time "
        f"(load of this machine: {os.getloadavg()[0]:.1f})"
    )


if __name__ == "__main__":
    main()
