"""What runs before Alloy: which places it forgets, and what it lays there to be read once more.

That Alloy loses nothing with it is shown by ``tests/observability/test_shipping_load.py``.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from auditlog.observe import alloy
from auditlog.observe.alloy import READ_AGAIN, STORAGE

SCRIPT = Path(alloy.__file__).with_name("alloy_places.sh")
LIVE = "audit.log"
ROTATED = {
    "audit.log": ("audit-2026-11-22T11-57-34.041.log", "audit-2026-11-22T11-57-34.041.log.gz"),
    "audit-canary.log": ("audit-canary-2026-11-22T11-57-34.041.log",),
    "audit": ("audit-2026-11-22T11-57-34.041",),
    "with space.log": ("with space-2026-11-22T11-57-34.041.log",),
    "0.log": ("0.log.20261122-115734", "0.log.20261122-115734.gz"),
}
LATER, NEVER = 3600, "0"


class Node:
    """A folder of logs, and Alloy's storage beside it."""

    def __init__(self, folder: Path) -> None:
        self.logs, self.storage = folder / "logs", folder / "storage"
        self.positions = self.storage / "loki.source.file.audit" / "positions.yml"
        self.logs.mkdir()
        self.positions.parent.mkdir(parents=True)

    def note(self, *places: tuple[str, int], seconds_from_now: float = 0) -> None:
        """The places as Alloy 1.0 writes them down."""
        entries = [f"  ? path: {self.logs / name}\n    labels: '{{}}'\n  : \"{place}\"\n" for name, place in places]
        self.positions.write_text("positions:\n" + "".join(entries))
        when = time.time() + seconds_from_now
        os.utime(self.positions, (when, when))

    def noted(self) -> dict[str, int]:
        lines = self.positions.read_text().splitlines()
        assert lines[0] == "positions:"
        paths = [line.removeprefix("  ? path: ") for line in lines[1::3]]
        return {Path(path).name: int(line.strip(' :"')) for path, line in zip(paths, lines[3::3], strict=True)}

    def read_again(self) -> bytes:
        file = self.storage / Path(READ_AGAIN).relative_to(STORAGE)
        return file.read_bytes() if file.exists() else b""

    def run(self, minutes: str = "15") -> str:
        command: list[str | Path] = ["/bin/sh", SCRIPT, self.storage, minutes, "printf", "%s", "Alloy runs"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "Alloy runs"), done.stderr
        return done.stderr


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_what_was_read_last_of_a_file_that_was_not_rotated_is_laid_there_and_its_place_stays(node: Node) -> None:
    (node.logs / LIVE).write_bytes(b"one\ntwo\nthree\n")
    node.note((LIVE, 8))
    before = node.positions.read_text()
    assert node.run() == ""
    assert node.read_again() == b"one\ntwo\n"
    assert node.positions.read_text() == before


def test_of_a_large_file_no_more_than_twice_what_alloy_gathers_is_laid_there(node: Node) -> None:
    (node.logs / LIVE).write_bytes(b"a" * 3_000_000 + b"b" * 1_000_000 + b"c")
    node.note((LIVE, 4_000_000))
    node.run()
    assert node.read_again() == b"a" * 1_097_152 + b"b" * 1_000_000


@pytest.mark.parametrize(("live", "rotated"), [(live, each) for live, files in ROTATED.items() for each in files])
@pytest.mark.parametrize("seconds", [-LATER, 0, 59])
def test_the_place_in_a_file_that_was_rotated_since_it_was_noted_is_forgotten(
    node: Node, live: str, rotated: str, seconds: float
) -> None:
    """Up to a minute before as well: what was noted may be older than the note."""
    for name in (live, rotated, "other.log"):
        (node.logs / name).write_text("one\ntwo\n")
    node.note((live, 4), ("other.log", 8), seconds_from_now=seconds)
    assert f"{node.logs / live} was rotated" in node.run(NEVER)
    assert node.noted() == {"other.log": 8}
    assert node.read_again() == b"one\ntwo\n"


@pytest.mark.parametrize(("live", "rotated"), [(live, each) for live, files in ROTATED.items() for each in files])
def test_of_one_that_was_rotated_before_only_within_the_minutes(node: Node, live: str, rotated: str) -> None:
    for name in (live, rotated):
        (node.logs / name).write_text("one\n")
    node.note((live, 4), seconds_from_now=LATER)
    node.run(NEVER)
    assert node.noted() == {live: 4}
    node.run("15")
    assert node.noted() == {}


@pytest.mark.parametrize("name", ["audit-old.log", "audit.log.1", "audit-canary-2026-11-22T11-57-34.041.log", "x.gz"])
def test_other_files_are_no_rotation_of_it(node: Node, name: str) -> None:
    for each in (LIVE, name):
        (node.logs / each).write_text("one\n")
    node.note((LIVE, 4))
    assert node.run() == ""
    assert node.noted() == {LIVE: 4}


def test_several_files_are_laid_one_after_the_other_and_anew_each_time(node: Node) -> None:
    (node.logs / "0.log").write_text("one\n")
    (node.logs / "1.log").write_text("two\n")
    node.note(("0.log", 4), ("1.log", 4))
    for _ in range(2):
        node.run()
        assert node.read_again() == b"one\ntwo\n"


@pytest.mark.parametrize("text", ["", "positions: {}\n", "no positions\n", '  : "7"\n', "? path: \n"])
def test_notes_that_name_no_file_stay_as_they_are(node: Node, text: str) -> None:
    node.positions.write_text(text)
    node.run()
    assert node.positions.read_text() == text
    assert node.read_again() == b""


def test_a_file_that_is_gone_and_a_first_start_are_no_failure(node: Node) -> None:
    node.run()
    assert node.read_again() == b""
    node.note((LIVE, 8))
    node.run()
    assert node.noted() == {LIVE: 8}
    assert node.read_again() == b""


def test_only_root_may_read_what_it_lays_there(node: Node) -> None:
    (node.logs / LIVE).write_text("one\n")
    node.note((LIVE, 4))
    node.run()
    for file in (node.positions, node.storage / Path(READ_AGAIN).name):
        assert file.stat().st_mode & 0o777 == 0o600


def test_without_room_the_places_stay(node: Node) -> None:
    (node.logs / LIVE).write_text("one\n" * 2000)
    node.note((LIVE, 8000))
    before = node.positions.read_text()
    limited: list[str | Path] = ["/bin/sh", "-c", 'ulimit -f 0; exec /bin/sh "$0" "$1" 15 printf runs', SCRIPT]
    done = subprocess.run([*limited, node.storage], capture_output=True, check=False)
    assert done.stdout == b"runs"
    assert node.positions.read_text() == before
