"""What the page of `auditlog report` costs: made from a log, and opened in Chromium.

    python -m bench.page [--events 100000] [--rounds 3]

A bare `orjson.loads` of the same file stands beside it. Needs Chromium, which `make test-report` installs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from itertools import islice
from pathlib import Path

from bench.questions import PARSE, measured
from tests.report.browser import browser
from tests.unit.events.generate import encode, events
from tests.unit.events.incident import incident


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log, page = folder / "audit.log", folder / "report.html"
        with log.open("wb") as file:
            file.writelines(map(encode, incident()))
            file.writelines(map(encode, islice(events(2025, seconds_between=0.5), arguments.events)))
        size = log.stat().st_size / 1_000_000
        print(f"{arguments.events} events, {size:.0f} MB, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        space = ("--audit-log-maxsize", "100", "--audit-log-maxbackup", "10")
        made = ("report", f"cp1={log}", "--policy", "preset:baseline", *space, "-o", str(page))
        with browser(folder) as shown:
            for _ in range(arguments.rounds):
                parse = measured([sys.executable, "-c", PARSE, str(log)])
                cost = measured([sys.executable, "-m", "auditlog", *made])
                opened = shown.open(page, 1280, 900, "light")
                complaints = len(shown.complaints)
                print(
                    f"made in {cost.wall:.1f} s, {cost.processor:.1f} s of a core, {cost.megabytes:.0f} MB; bare parse "
                    f"{parse.processor:.1f} s; page {page.stat().st_size / 1000:.0f} kB opened in {opened:.2f} s, "
                    f"{complaints} complaints",
                    flush=True,
                )


if __name__ == "__main__":
    main()
