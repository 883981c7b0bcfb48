"""`tune` beside a bare `orjson.loads` pass over the same file, in one run: seconds and memory by the log's length.

    python -m bench.tune [--events 1000000 5000000]

A log is made in a temporary folder. Printed are the wall and processor time of orjson parsing every line on one core,
of the pass that `tune` makes on one core and on two, and of the whole, each with the most memory that a process of it
took. A length beyond `--file-events` is not written out: the file is read that many times more often, as files of one
node, so that 20 million events need no 20 GB. Memory must not grow with the length. The mix is that of
tests/unit/events/generate.py.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from auditlog.events.budget import Budget
from auditlog.events.kinds import KindSettings
from auditlog.events.replay import ReplaySettings, count
from auditlog.events.sources import LogFile, LogSet
from auditlog.events.span import spans
from auditlog.policy.presets import preset_text
from auditlog.policy.read import read_policy
from auditlog.tuning.search import Tuning, search
from auditlog.tuning.tune import FITTED_SHARE, marks_of, parted
from bench.replay import parse
from tests.unit.events.generate import encode, events

_MEGABYTE = 1_000_000
_POLICY = "forensic"
_BUDGET = Budget(30, 2_000 * _MEGABYTE)
_DISTINCT = 200_000


def main() -> None:
    """Measures and prints; called with --work it does one piece of work and prints what it took, for itself."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, nargs="+", default=[1_000_000, 5_000_000])
    parser.add_argument("--file-events", type=int, default=1_000_000)
    parser.add_argument("--work", nargs=3, metavar=("WHAT", "FILE", "TIMES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        what, file, times = arguments.work
        print(json.dumps(measured(lambda: WORKS[what](Path(file), int(times)))))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.log"
        size = make_log(path, min(arguments.file_events, *arguments.events))
        for number in arguments.events:
            times = max(1, round(number / arguments.file_events))
            print(f"{number} events, {size * times / _MEGABYTE:.0f} MB, {os.cpu_count()} cores")
            found = {what: in_own_process(what, path, times) for what in WORKS}
            peer = found["orjson.loads, 1 core"]
            for what, each in found.items():
                print(
                    f"  {what:<32} {each['wall']:7.1f} s  {each['processor']:7.1f} s of processor time  "
                    f"{each['wall'] / peer['wall']:5.2f} and {each['processor'] / peer['processor']:5.2f} x orjson  "
                    f"{each['megabytes']:5.0f} MB"
                )


def make_log(path: Path, number: int) -> int:
    """Writes so many events; after the distinct ones they come again. Returns the bytes."""
    content = b"".join(encode(event) for event in islice(events(2025, seconds_between=0.5), min(number, _DISTINCT)))
    with path.open("wb") as log:
        for _ in range(max(1, number // _DISTINCT)):
            log.write(content)
    return path.stat().st_size


def in_own_process(what: str, path: Path, times: int) -> dict[str, float]:
    """A process for each work, so that memory is its own."""
    command = [sys.executable, "-m", "bench.tune", "--work", what, str(path), str(times)]
    answer: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer


def measured(work: Callable[[], None]) -> dict[str, float]:
    """Seconds, processor seconds, and the most memory of any process, in megabytes."""
    wall = time.perf_counter()
    work()
    wall = time.perf_counter() - wall
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "wall": wall,
        "processor": sum(each.ru_utime + each.ru_stime for each in used),
        "megabytes": max(_most_memory(), used[1].ru_maxrss * 1024) / _MEGABYTE,
    }


def _most_memory() -> int:
    """The most bytes that this process took since it began; getrusage counts what its parent took before."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def _parse(path: Path, times: int) -> None:
    for _ in range(times):
        parse(path)


def _count(processes: int, *, searching: bool) -> Callable[[Path, int], None]:
    def work(path: Path, times: int) -> None:
        policy = read_policy(preset_text(_POLICY), _POLICY)
        tuning = Tuning(policy, _BUDGET)
        # The same file stands for all of them: `find_logs` would read it once.
        logs = LogSet(tuple(LogFile("cp1", str(path), path.stat().st_size) for _ in range(times)))
        reach = spans(LogSet(logs.files[:1]))["cp1"]
        kinds = KindSettings(marks_of(tuning), {"cp1": reach.at(FITTED_SHARE)})
        counted = count(logs, ReplaySettings(policy=policy, processes=processes), kinds=kinds)
        if searching:
            search(tuning, [parted("cp1", counted.nodes["cp1"].kinds, reach.days)])

    return work


WORKS: dict[str, Callable[[Path, int], None]] = {
    "orjson.loads, 1 core": _parse,
    "the pass, 1 process": _count(1, searching=False),
    "the pass, 2 processes": _count(2, searching=False),
    "tune, 1 process": _count(1, searching=True),
}


if __name__ == "__main__":
    main()
