"""What a question costs, in time and memory, beside jq, DuckDB and a bare parse of the same file, in one run.

    python -m bench.questions [--events 1000000] [--duckdb PYTHON]

`--duckdb` names a Python that has bench/requirements-questions.txt. Every work is a process of its own, so that its
memory is its own, and finds the same: who deleted one ConfigMap. Above a million events, the log is the same file many
times over. jq and DuckDB answer only that; `who` also judges what the answer is worth, by every event. `--only` leaves
out works by their names, for logs that take hours otherwise.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tests.unit.events.generate import ALICE, encode, events
from tests.unit.events.incident import SECOND, incident, request

DISTINCT = 100_000
NAME = "the-one"
PARSE = """
import sys, orjson
for path in sys.argv[1:]:
    with open(path, "rb") as log:
        for line in log: orjson.loads(line)
"""
# The product leaves out copies of a file, and here the log is made of them.
_ASK = """
import sys
from auditlog.events import sources
sources._without_copies = lambda files, notes: list(files)
from auditlog.cli import main
sys.exit(main(sys.argv[1:]))
"""
_DUCKDB = """
import sys, duckdb
name, *paths = sys.argv[1:]
duckdb.sql("set threads = 1")
columns = "{user: 'struct(username varchar)', verb: 'varchar', objectRef: 'struct(name varchar)'}"
events = f"read_json(?, format='newline_delimited', columns={columns}, maximum_object_size=67108864)"
query = f"select user.username from {events} where verb = 'delete' and objectRef.name = ?"
print(duckdb.sql(query, params=[paths, name]).fetchall())
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the clock and of all cores, and the megabytes that the largest process had at most."""

    wall: float
    processor: float
    megabytes: float


def make_log(folder: Path, count: int) -> list[Path]:
    """Files of a log with so many events; the last one has the deletion."""
    content = b"".join(encode(each) for each in islice(events(2025, seconds_between=0.02), DISTINCT))
    paths: list[Path] = []
    for number in range(max(1, count // 1_000_000)):
        path = folder / f"{number}.log"
        if number:
            os.link(paths[0], path)
        else:
            with path.open("wb") as log:
                for _ in range(max(1, min(count, 1_000_000) // DISTINCT)):
                    log.write(content)
        paths.append(path)
    last = folder / "last.log"
    deletion = request(ALICE, "delete", "configmaps", NAME, 1)
    last.write_bytes(b"".join(map(encode, (*incident(), deletion))))
    return [*paths, last]


def measured(words: list[str]) -> Cost:
    """Runs a process and says what it took. Raises CalledProcessError where it fails."""
    started = time.perf_counter()
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    return Cost(time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000)


def works(paths: list[Path], duckdb: str) -> dict[str, list[str]]:
    """What is measured, by name."""
    logs = [f"cp{number}={path}" for number, path in enumerate(paths)]
    ask = [sys.executable, "-c", _ASK]
    who = [*ask, "who", "--verb", "delete", "--name", NAME, "-o", "json"]
    found = {"bare orjson.loads": [sys.executable, "-c", PARSE, *map(str, paths)]}
    asked = {
        "who": [*who, *logs],
        "who --policy": [*who, "--policy", "preset:standard", *logs],
        "timeline": [*ask, "timeline", f"cm/{NAME}", "-n", "prod", "-o", "json", *logs],
        "lineage": [*ask, "lineage", SECOND, "-o", "json", *logs],
    }
    for name, words in asked.items():
        found[name] = [*words, "--processes", "1"]
        found[f"{name} on all cores"] = words
    if shutil.which("jq"):
        found["jq"] = ["jq", "-c", f'select(.verb == "delete" and .objectRef.name == "{NAME}")', *map(str, paths)]
    if duckdb:
        found["DuckDB with one thread"] = [duckdb, "-c", _DUCKDB, NAME, *map(str, paths)]
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--make", default="", help=argparse.SUPPRESS)
    parser.add_argument("--only", default="", metavar="NAMES", help="these works, with commas between")
    parser.add_argument("--duckdb", default="", metavar="PYTHON", help="a Python with DuckDB")
    arguments = parser.parse_args()
    if arguments.make:
        make_log(Path(arguments.make), arguments.events)
        return
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: a child's peak of memory begins with what its parent has.
        made = [sys.executable, "-m", "bench.questions", "--make", folder, "--events", str(arguments.events)]
        subprocess.run(made, check=True)
        paths = sorted(Path(folder).glob("*.log"))
        size = sum(path.stat().st_size for path in paths) / 1_000_000
        print(f"{arguments.events} events, {size:.0f} MB, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        peer = 0.0
        only = [name.strip() for name in arguments.only.split(",") if name.strip()]
        for name, words in works(paths, arguments.duckdb).items():
            if only and name not in only:
                continue
            cost = measured(words)
            peer = peer or cost.processor
            print(
                f"{name:<24} {cost.wall:7.1f} s  {cost.processor:7.1f} s of a core  {cost.megabytes:6.0f} MB  "
                f"{peer / cost.processor:5.2f} x orjson.loads",
                flush=True,
            )


if __name__ == "__main__":
    main()
