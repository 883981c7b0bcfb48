"""Where the time of the last ``make test`` went: the slowest tests, the sum by file and the sum by part.

``python -m tests.durations [FILE...]`` reads the JUnit reports that ``.ci/test`` leaves in ``.lab/durations``, one a
part; or the FILEs, which ``pytest --junit-xml=FILE`` writes. Seconds are of setup, call and teardown together.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
REPORTS = ROOT / ".lab" / "durations"
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Timed:
    """One test: its part (the report's name), its file below the repository, its own name and its seconds."""

    part: str
    file: str
    name: str
    seconds: float


def read(report: Path) -> list[Timed]:
    """The tests of one JUnit report."""
    return [
        Timed(report.stem, file_of(case.get("classname", "")), case.get("name", ""), float(case.get("time", "0")))
        for case in ElementTree.parse(report).iter("testcase")  # noqa: S314  our own pytest wrote it
    ]


def file_of(classname: str) -> str:
    """``tests.unit.node.test_moved``, or with a class behind it, as the path of the file."""
    words = classname.split(".")
    last = next((at for at, word in enumerate(words) if word.startswith("test_")), len(words) - 1)
    return "/".join(words[: last + 1]) + ".py"


def report(tests: Iterable[Timed]) -> str:
    """What is printed: three tables, the longest first; of parts all."""
    by_file: defaultdict[str, float] = defaultdict(float)
    by_part: defaultdict[str, float] = defaultdict(float)
    tests = sorted(tests, key=lambda test: -test.seconds)
    for test in tests:
        by_file[test.file] += test.seconds
        by_part[test.part] += test.seconds
    slowest = [(f"{test.file}::{test.name}", test.seconds) for test in tests[:SHOWN]]
    return "\n".join(
        [
            *table(f"the {len(slowest)} slowest of {len(tests)} tests", slowest),
            *table("the slowest files", longest_first(by_file)[:SHOWN]),
            *table("parts", longest_first(by_part)),
        ]
    )


def longest_first(sums: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(sums.items(), key=lambda each: -each[1])


def table(title: str, rows: Iterable[tuple[str, float]]) -> list[str]:
    return [f"{title}:", *(f"{seconds:8.1f} s  {name}" for name, seconds in rows), ""]


def main(arguments: list[str]) -> int:
    files = [Path(each) for each in arguments] or sorted(REPORTS.glob("*.xml"))
    if not files:
        print(f"no report in {REPORTS.relative_to(ROOT)}: run `make test` first", file=sys.stderr)
        return 2
    print(report(test for file in files for test in read(file)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
