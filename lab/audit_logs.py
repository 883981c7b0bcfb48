"""The audit events in a node's files, read while the API server writes and rotates them."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

# What lumberjack, the API server's log writer, puts between name and suffix of a file that it rotates away.
_ROTATED = re.compile(r"-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.log$")


def file_lines(folder: Path) -> Iterator[str]:
    """Every whole line of every log in ``folder``, once: written to, rotated, compressed, a canary's.

    What was written before the call is among them, however often the log is rotated meanwhile. A file's name is no
    way to find it again: the log that is written to gets another one when it is rotated away.
    """
    with ExitStack() as opened:
        while True:
            names = _names(folder)
            try:
                written_to = [
                    opened.enter_context((folder / name).open("rb")) for name in names if not _ROTATED.search(name)
                ]
            except FileNotFoundError:  # between being rotated away and being made anew
                continue
            # Nothing was rotated since the first look: none of those opened is among the rotated ones.
            if _names(folder) == names:
                break
            opened.close()
        for file in [*written_to, *(_rotated(folder / name, opened) for name in names if _ROTATED.search(name))]:
            yield from whole_lines(file)


def whole_lines(file: BinaryIO) -> Iterator[str]:
    """The lines of one log; the last one may be half-written, and is left out then."""
    return (line.decode() for line in file if line.endswith(b"\n"))


def _names(folder: Path) -> list[str]:
    return sorted({path.name.removesuffix(".gz") for path in folder.glob("*.log*")})


def _rotated(path: Path, opened: ExitStack) -> BinaryIO:
    """``path``, or what it was compressed to, which is whole once ``path`` is gone."""
    try:
        return opened.enter_context(path.open("rb"))
    except FileNotFoundError:
        return cast(BinaryIO, opened.enter_context(gzip.open(f"{path}.gz")))
