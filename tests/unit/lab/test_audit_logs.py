"""Every line once, in files of every kind, also when the log is rotated at the worst of moments."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.audit_logs import file_lines

EARLIER, LATER, LAST = (f"audit-2026-06-06T16-51-2{second}.123.log" for second in (6, 7, 8))


def test_lines_come_from_every_kind_of_file_but_not_half_written_ones(tmp_path: Path) -> None:
    (tmp_path / "audit.log").write_text("1\n2\nhalf")
    (tmp_path / "audit-canary.log").write_text("3\n")
    (tmp_path / EARLIER).write_text("4\n")
    (tmp_path / f"{LATER}.gz").write_bytes(gzip.compress(b"5\n"))
    (tmp_path / "other").write_text("6\n")
    assert sorted(file_lines(tmp_path)) == ["1\n", "2\n", "3\n", "4\n", "5\n"]


def test_a_file_that_is_being_compressed_is_read_once(tmp_path: Path) -> None:
    (tmp_path / EARLIER).write_text("1\n")
    (tmp_path / f"{EARLIER}.gz").write_bytes(gzip.compress(b"1\n")[:-4])
    assert list(file_lines(tmp_path)) == ["1\n"]


def rotate(folder: Path, name: str) -> None:
    (folder / "audit.log").rename(folder / name)


def begin_anew(folder: Path) -> None:
    (folder / "audit.log").write_text("")


def compress(folder: Path) -> None:
    (folder / f"{EARLIER}.gz").write_bytes(gzip.compress((folder / EARLIER).read_bytes()))
    (folder / EARLIER).unlink()


@pytest.mark.parametrize("opening", range(5))
@pytest.mark.parametrize(
    "happens",
    [
        [lambda folder: rotate(folder, LATER), begin_anew],
        [lambda folder: rotate(folder, LATER), begin_anew, lambda folder: rotate(folder, LAST), begin_anew],
        [compress],
        [lambda folder: rotate(folder, LATER), compress, begin_anew],
    ],
    ids=["rotated", "rotated twice", "compressed", "rotated and compressed"],
)
@pytest.mark.parametrize("together", [True, False], ids=["at once", "one after the other"])
def test_what_happens_to_the_files_meanwhile_neither_hides_nor_repeats_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    opening: int,
    happens: list[Callable[[Path], None]],
    together: bool,
) -> None:
    """Each happens right before one of the openings: all of it before ``opening``, or one before each from there on."""
    (tmp_path / EARLIER).write_text("1\n")
    (tmp_path / "audit.log").write_text("2\n")
    (tmp_path / "audit-canary.log").write_text("3\n")
    real, still, openings = Path.open, list(happens), 0

    def opened(path: Path, *arguments: Any, **named: Any) -> Any:
        nonlocal openings
        openings += 1
        monkeypatch.setattr(Path, "open", real)
        while still and openings > opening:
            still.pop(0)(tmp_path)
            if not together:
                break
        monkeypatch.setattr(Path, "open", opened)
        return real(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", opened)
    assert sorted(file_lines(tmp_path)) == ["1\n", "2\n", "3\n"]
