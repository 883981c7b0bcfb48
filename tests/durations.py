"""Where the time of the last ``make test`` went: the slowest tests, files and parts, what waited, what was idle.

``python -m tests.durations [FILE...]`` reads the JUnit reports that ``.ci/test`` leaves in ``.lab/durations``, one a
part; or the FILEs, which ``pytest --junit-xml=FILE`` writes. Seconds are of setup, call and teardown together. A test
waits while neither it nor a program that it started has a processor: for kubelet, say, or for the other tests.
"""

from __future__ import annotations

import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
REPORTS = ROOT / ".lab" / "durations"
# /proc/stat as .ci/test found it at its start and at its end.
BEFORE, AFTER = REPORTS / "processors-before", REPORTS / "processors-after"
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Timed:
    """One test: its part (the report's name), its file below the repository, its own name, its seconds, and how many
    of those it waited."""

    part: str
    file: str
    name: str
    seconds: float
    waited: float


def read(report: Path) -> list[Timed]:
    """The tests of one JUnit report."""
    cases = ElementTree.parse(report).iter("testcase")  # noqa: S314  our own pytest wrote it
    return [timed(report.stem, case) for case in cases]


def timed(part: str, case: ElementTree.Element) -> Timed:
    seconds = float(case.get("time", "0"))
    used = case.find("properties/property[@name='processor']")
    processor = seconds if used is None else float(used.get("value", "0"))
    return Timed(part, file_of(case.get("classname", "")), case.get("name", ""), seconds, max(0.0, seconds - processor))


def file_of(classname: str) -> str:
    """``tests.unit.node.test_path_change``, or with a class behind it, as the path of the file."""
    words = classname.split(".")
    last = next((at for at, word in enumerate(words) if word.startswith("test_")), len(words) - 1)
    return "/".join(words[: last + 1]) + ".py"


def report(tests: Iterable[Timed]) -> str:
    """What is printed: three tables, the longest first; of parts all."""
    by_file: defaultdict[str, float] = defaultdict(float)
    by_part: defaultdict[str, float] = defaultdict(float)
    waited: defaultdict[str, float] = defaultdict(float)
    tests = sorted(tests, key=lambda test: -test.seconds)
    for test in tests:
        by_file[test.file] += test.seconds
        by_part[test.part] += test.seconds
        waited[test.part] += test.waited
    slowest = [(f"{test.file}::{test.name}", test.seconds) for test in tests[:SHOWN]]
    return "\n".join(
        [
            *table(f"the {len(slowest)} slowest of {len(tests)} tests", slowest),
            *table("the slowest files", longest_first(by_file)[:SHOWN]),
            *table("parts", longest_first(by_part)),
            *table("waiting, by part", longest_first(waited)),
        ]
    )


def longest_first(sums: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(sums.items(), key=lambda each: -each[1])


def table(title: str, rows: Iterable[tuple[str, float]]) -> list[str]:
    return [f"{title}:", *(f"{seconds:8.1f} s  {name}" for name, seconds in rows), ""]


def idle(before: str, after: str) -> list[str]:
    """How much of the time between two texts of /proc/stat each core was idle: proc(5), its fourth number and fifth."""
    rows = []
    ticks = os.sysconf("SC_CLK_TCK")
    for start, end in zip(cores(before).items(), cores(after).values(), strict=True):
        spent = [now - then for then, now in zip(start[1], end, strict=True)]
        rows.append(f"{100 * sum(spent[3:5]) / max(sum(spent), 1):8.1f} %  {start[0]} of {sum(spent) / ticks:.0f} s")
    return ["idle, by core:", *rows, ""]


def cores(stat: str) -> dict[str, list[int]]:
    # Without the last two numbers: a guest's time is in the first two already.
    words = [line.split() for line in stat.splitlines() if re.match(r"cpu\d", line)]
    return {each[0]: [int(number) for number in each[1:9]] for each in words}


def main(arguments: list[str]) -> int:
    files = [Path(each) for each in arguments] or sorted(REPORTS.glob("*.xml"))
    if not files:
        print(f"no report in {REPORTS.relative_to(ROOT)}: run `make test` first", file=sys.stderr)
        return 2
    print(report(test for file in files for test in read(file)))
    if not arguments and BEFORE.exists() and AFTER.exists():
        print("\n".join(idle(BEFORE.read_text(), AFTER.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
