"""Reading logs line by line, damaged ones too."""

from __future__ import annotations

import gzip
import io
import itertools
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog.events import reading
from auditlog.events.reading import BLOCK, DamageLog, Unreadable, blocks, lines_of, read, seek_to_line
from auditlog.events.sources import LogFile, LogSet, find_logs
from tests.unit.events.generate import lines


def read_all(path: Path) -> tuple[int, DamageLog]:
    damage = DamageLog()
    return sum(1 for _ in read(find_logs([str(path)]), damage)), damage


def test_corrupt_lines_are_counted_and_named_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    good = lines(1, 4)
    content = [
        good[0],
        b"\x00\x00\x00\n",
        good[1],
        b'{"kind":"Event","level":"Metadata"}\n',
        b"\n",
        b'{"kind":"Ev\n',
        good[2],
        b'{"level":"Metadata\xff"}\n',
        good[3],
    ]
    path.write_bytes(b"".join(content))
    events, damage = read_all(path)
    assert events == 4
    assert damage.count == 4
    assert [each.place for each in damage.examples] == [f"{path}:{number}" for number in (2, 4, 6, 8)]
    assert damage.examples[0].reason == "not JSON"
    assert "missing required field" in damage.examples[1].reason
    assert damage.examples[2].reason.startswith("broken JSON")


def test_a_last_line_without_its_end_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(b"".join(lines(1, 2)).rstrip(b"\n"))
    assert read_all(path) == (2, DamageLog())


def test_a_last_line_that_is_cut_off_is_named(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(b"".join(lines(1, 3))[:-50])
    events, damage = read_all(path)
    assert events == 2
    assert damage.examples == [Unreadable(f"{path}:3", "cut off: the last line is incomplete")]


def test_what_comes_before_the_end_of_a_cut_off_compressed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "audit-2025-01-02T03-04-05.678.log.gz"
    # Stored without compression, so that the first half of the file holds about half of the lines.
    whole = gzip.compress(b"".join(lines(1, 2000)), compresslevel=0)
    path.write_bytes(whole[: len(whole) // 2])
    events, damage = read_all(path)
    assert 500 < events < 1000
    assert damage.examples[-1].place == str(path)
    assert "the rest of the file cannot be read" in damage.examples[-1].reason


def test_a_file_that_rotation_took_away_meanwhile_is_named(tmp_path: Path) -> None:
    damage = DamageLog()
    logs = LogSet((LogFile("cp1", str(tmp_path / "audit.log"), 10),))
    assert list(read(logs, damage)) == []
    assert damage.examples == [
        Unreadable(str(tmp_path / "audit.log"), "the rest of the file cannot be read: No such file or directory")
    ]


def test_all_unreadable_lines_are_counted_and_only_the_first_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(b"garbage\n" * 5000)
    _, damage = read_all(path)
    assert (damage.count, len(damage.examples)) == (5000, reading.NAMED_LINES)


def test_an_endless_line_is_skipped_and_what_follows_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_LINE", 2 * BLOCK)
    path = tmp_path / "audit.log"
    good = lines(1, 2)
    path.write_bytes(good[0] + b"x" * (5 * BLOCK) + b"\n" + good[1])
    events, damage = read_all(path)
    assert events == 2
    assert damage.examples == [Unreadable(f"{path}:2", reading.TOO_LONG)]


def test_a_line_longer_than_a_block_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    good = lines(1, 2)
    long = good[0].replace(b'"kind":"Event"', b'"kind":"Event","padding":"' + b"x" * (3 * BLOCK) + b'"')
    path.write_bytes(long + good[1])
    assert read_all(path) == (2, DamageLog())


@settings(deadline=None)
@given(
    content=st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), max_size=12),
    ended=st.booleans(),
    cuts=st.lists(st.integers(0, 160), max_size=4),
)
def test_every_line_belongs_to_exactly_one_byte_range(content: list[bytes], ended: bool, cuts: list[int]) -> None:
    data = b"\n".join(content) + (b"\n" if ended and content else b"")
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    found: list[bytes] = []
    for start, end in itertools.pairwise(edges):
        stream = io.BytesIO(data)
        length = seek_to_line(stream, start, end - start)
        for buffer, filled in blocks(stream, length):
            found.extend(lines_of(buffer, filled))
    assert found == data.split(b"\n")[: None if data and not data.endswith(b"\n") else -1]


class _Endless(io.RawIOBase):
    """A stream that makes its lines while it is read."""

    def __init__(self, source: Iterator[bytes], size: int) -> None:
        super().__init__()
        self._source, self._left, self._rest = source, size, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while len(self._rest) < len(buffer) and self._left > 0:
            line = next(self._source)
            self._left -= len(line)
            self._rest += line
        given = self._rest[: len(buffer)]
        buffer[: len(given)] = given
        self._rest = self._rest[len(given) :]
        return len(given)


def test_fifty_megabytes_from_standard_input_are_read_in_little_memory() -> None:
    stream = io.BufferedReader(_Endless(itertools.cycle(lines(1, 500)), 50_000_000))
    logs = find_logs(["-"])
    tracemalloc.start()
    try:
        count = sum(1 for _ in read(logs, DamageLog(), stdin=stream))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count > 30_000
    assert peak < 8_000_000
