"""The script that starts Alloy: what it has read again after which end, and from when on it sends at all.

In place of Alloy a program that counts as it is told and writes its places as otelcol.storage.file does.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "auditlog/observe/alloy_run.sh"
INTERVAL = 0.05
STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"
FAKE = r"""
import http.server, os, pathlib, signal, sys, threading, time

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
places, counters = pathlib.Path("places"), pathlib.Path("counters")
places.mkdir(exist_ok=True)
place = places / "receiver_filelog_"
if not place.exists():
    place.write_text("from the beginning")
pathlib.Path("since.new").write_text(os.environ["AUDIT_SINCE"])
pathlib.Path("since.new").rename("since.seen")

class Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        taken, left_out, sent = counters.read_text().split()
        lines = (
            "# TYPE otelcol_exporter_loki_entries_processed counter",
            'otelcol_exporter_loki_entries_processed{component_id="otelcol.exporter.loki.audit"} ' + taken,
            'otelcol_exporter_loki_entries_processed{component_id="otelcol.exporter.loki.other"} 1e+09',
            'loki_process_dropped_lines_total{component_id="loki.process.audit",reason="audit_old"} ' + left_out,
            'loki_write_sent_entries_total{component_id="loki.write.audit",host="l",tenant="a b"} ' + sent,
            'loki_write_dropped_entries_total{component_id="loki.write.audit",reason="line_too_long"} 0',
        )
        self.send_response(200)
        self.end_headers()
        self.wfile.write("\n".join(lines).encode() + b"\n")

    def log_message(self, *_):
        pass

server = http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Metrics)
threading.Thread(target=server.serve_forever, daemon=True).start()
while True:
    time.sleep(1)
"""


class Alloy:
    """The script with its storage in ``folder``; ``process`` while it runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[str] | None = None
        (folder / "fake.py").write_text(FAKE)
        self.count(0, 0, 0)

    def count(self, taken: float, left_out: float, sent: float) -> None:
        """What the program's counters say from now on."""
        (self.folder / "counters.new").write_text(f"{taken} {left_out} {sent}")
        (self.folder / "counters.new").rename(self.folder / "counters")

    def start(self, **environment: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        own = {"POD_IP": "127.0.0.1", "PORT": str(port), "INTERVAL": str(INTERVAL)} | environment
        command: list[str | Path] = ["bash", SCRIPT, self.folder, "15", sys.executable, self.folder / "fake.py"]
        (self.folder / "since.seen").unlink(missing_ok=True)
        self.process = subprocess.Popen(
            command, env={**os.environ, **own}, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self.until(lambda: (self.folder / "since.seen").exists())

    def read(self, place: str) -> None:
        """Have the program note that it has come so far."""
        (self.folder / "places" / "receiver_filelog_").write_text(place)

    def stop(self) -> tuple[int, str]:
        """As kubelet does; the exit code and what was said."""
        return self._end("kill", "-TERM")

    def kill(self, *, only_the_program: bool = False) -> tuple[int, str]:
        """All of it, or what the script has started."""
        if only_the_program:
            return self._end("pkill", "-KILL", "-f", f"^{sys.executable}", "--parent")
        return self._end("pkill", "-KILL", "--session")

    def _end(self, *command: str) -> tuple[int, str]:
        assert self.process is not None
        subprocess.run([*command, str(self.process.pid)], check=True)
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said

    def until(self, wanted: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not wanted():
            assert time.monotonic() < deadline, "in vain"
            time.sleep(0.01)

    def text(self, name: str) -> str:
        path = self.folder / name
        return path.read_text().strip() if path.exists() else ""

    @property
    def delivered(self) -> str:
        return self.text("delivered/receiver_filelog_")

    @property
    def place(self) -> str:
        return self.text("places/receiver_filelog_")


@pytest.fixture
def alloy(tmp_path: Path) -> Iterator[Alloy]:
    found = Alloy(tmp_path)
    yield found
    if found.process is not None and found.process.poll() is None:
        subprocess.run(["pkill", "-KILL", "--session", str(found.process.pid)], check=False)
        found.process.wait()


@pytest.mark.parametrize("end", ["stop", "kill", "kill only the program"])
def test_a_start_begins_where_everything_is_known_to_be_delivered(alloy: Alloy, end: str) -> None:
    alloy.start()
    alloy.read("line 7")
    alloy.until(lambda: alloy.delivered == "line 7")
    alloy.count(10, 2, 4)
    time.sleep(20 * INTERVAL)
    alloy.read("line 17")
    status, _ = alloy.stop() if end == "stop" else alloy.kill(only_the_program="only" in end)
    assert (status == 0) is (end == "stop")
    alloy.start()
    assert alloy.place == "line 7"
    assert "is read again" in alloy.stop()[1]


def test_without_a_copy_everything_is_read_again(alloy: Alloy) -> None:
    alloy.count(10, 0, 4)
    alloy.start()
    alloy.read("line 7")
    alloy.kill()
    alloy.start()
    assert alloy.place == "from the beginning"
    assert "all events from" in alloy.stop()[1]


def test_the_copy_follows_what_is_delivered_and_not_what_is_read(alloy: Alloy) -> None:
    alloy.count(1.0e06, 100, 999900)
    alloy.start()
    alloy.read("line 7")
    alloy.until(lambda: alloy.delivered == "line 7")
    alloy.count(1.2e06, 100, 1.1e06)
    time.sleep(10 * INTERVAL)
    alloy.read("line 17")
    time.sleep(20 * INTERVAL)
    assert alloy.delivered == "line 7", "100,000 entries wait in loki.write"
    alloy.count(1.2e06, 100, 1199900)
    alloy.until(lambda: alloy.delivered == "line 17")


def test_the_first_start_sends_so_many_minutes_and_the_later_ones_from_there(alloy: Alloy) -> None:
    alloy.start()
    since = alloy.text("since.seen")
    age = datetime.now(UTC) - datetime.strptime(since, STAMP).replace(tzinfo=UTC)
    assert timedelta(minutes=15) <= age < timedelta(minutes=16)
    alloy.stop()
    alloy.start()
    assert alloy.text("since.seen") == since


def test_a_first_start_while_the_clock_was_ahead_leaves_out_nothing_later(alloy: Alloy) -> None:
    (alloy.folder / "since").write_text("2999-01-01T00:00:00.000000Z\n")
    alloy.start()
    assert alloy.text("since.seen") < datetime.now(UTC).strftime(STAMP)


NOTED = datetime(2026, 11, 29, 2, 0, 0, tzinfo=UTC)


def line(second: int) -> str:
    return f'{{"kind":"Event","stageTimestamp":"2026-11-29T01:{second // 60:02}:{second % 60:02}.000000Z"}}\n'


@pytest.fixture
def former(alloy: Alloy) -> Path:
    """A log of which the Alloy of an earlier version had read 1,000 lines of 2,000; gives the log."""
    log = alloy.folder / "logs" / "audit.log"
    log.parent.mkdir()
    log.write_text("".join(line(second) for second in range(2000)))
    note(alloy, log, 1000 * len(line(0)))
    return log


def note(alloy: Alloy, log: Path, place: int) -> None:
    positions = alloy.folder / "loki.source.file.audit" / "positions.yml"
    positions.parent.mkdir(exist_ok=True)
    positions.write_text(f"positions:\n    ? path: {log}\n      labels: '{{}}'\n    : \"{place}\"\n")
    os.utime(positions, (NOTED.timestamp(), NOTED.timestamp()))
    (alloy.folder / "loki.source.file.audit_rotated").mkdir(exist_ok=True)
    (alloy.folder / "read-again.log").touch()


def test_an_upgrade_starts_where_the_earlier_version_had_come_less_its_last_batch(
    alloy: Alloy,
    former: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shorter = SCRIPT.read_text().replace("former_batch=2097152", f"former_batch={100 * len(line(0))}")
    (alloy.folder / "run.sh").write_text(shorter)
    monkeypatch.setattr(sys.modules[__name__], "SCRIPT", alloy.folder / "run.sh")
    alloy.start()
    assert alloy.text("since.seen") == "2026-11-29T01:14:59.000000Z"
    left = {path.name for path in alloy.folder.iterdir()}
    assert not {name for name in left if re.match(r"loki\.source|read-again|noted", name)}


def test_an_upgrade_within_the_first_batch_starts_at_the_first_event(alloy: Alloy, former: Path) -> None:  # noqa: ARG001
    alloy.start()
    assert alloy.text("since.seen") == "2026-11-29T01:00:00.000000Z"


def test_an_upgrade_of_what_had_read_everything_starts_a_minute_before_it_noted_that(
    alloy: Alloy, former: Path
) -> None:
    note(alloy, former, former.stat().st_size)
    alloy.start()
    assert alloy.text("since.seen") == "2026-11-29T01:59:00.000000Z"


@pytest.mark.parametrize("name", ["audit-2026-11-29T02-00-01.000.log", "audit-2026-11-29T02-00-01.000.log.gz"])
def test_an_upgrade_across_a_rotation_goes_back_as_far_as_a_first_start(alloy: Alloy, former: Path, name: str) -> None:
    former.rename(former.with_name(name))
    former.write_text(line(0))
    alloy.start()
    assert alloy.text("since.seen") == "2026-11-29T01:44:00.000000Z"
