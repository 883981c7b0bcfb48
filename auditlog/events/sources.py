"""Which files hold the log that was asked for.

kube-apiserver rotates with lumberjack. It writes to `audit.log`, and `audit-2025-01-02T03-04-05.678.log` (UTC) is a
rotated file. With --audit-log-compress, `.gz` follows. The names of an external logrotate (`audit.log.2.gz`) are known
as well. Name a log by its active file or its folder: both find the whole rotated set.
"""

from __future__ import annotations

import gzip
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from auditlog.errors import AuditlogError

STDIN = "-"

_LUMBERJACK = re.compile(r"(?P<base>.+)-(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3})(?P<suffix>\.[^.]+)?")
_LUMBERJACK_TIME = "%Y-%m-%dT%H-%M-%S.%f"
_LOGROTATE = re.compile(r"(?P<active>.+\.[^.\d][^.]*)\.(?P<number>\d+)")
_NODE = re.compile(r"(?P<node>[A-Za-z0-9][A-Za-z0-9.-]*)=(?P<path>.+)", re.DOTALL)
_FIRST_LINE = 64 * 1024


class SourceError(AuditlogError):
    """A requested log cannot be read. The message names it and what is allowed."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a node's log. `size` is its length in bytes when it was found, 0 for stdin."""

    node: str
    path: str
    size: int = 0
    compressed: bool = False


@dataclass(frozen=True, slots=True)
class LogSet:
    """Everything to read, each node's files oldest first, and what people should know about the choice."""

    files: tuple[LogFile, ...]
    notes: tuple[str, ...] = ()
    histories: Mapping[str, str] = field(default_factory=dict)
    """The policy histories that nodes report, by node, for `auditlog.events.in_force`."""

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.size for file in self.files)


def find_logs(arguments: Sequence[str]) -> LogSet:
    """The files that command-line arguments name.

    Each argument is one of these, and may begin with `NODE=`:

    - `-`, which is stdin
    - a log file
    - a folder with one log
    - a folder of such folders, one per node

    Without `NODE=`, a log in a folder of folders is known by its folder's name, stdin as `stdin`, and any
    other by its path.

    These files are left out, with a note unless a file is named twice for the same node:

    - a file named twice
    - the compressed twin that lumberjack leaves while it compresses
    - a copy: it has the same first event as a larger file

    Raises:
        SourceError: an argument does not exist, may not be read, or has nothing that looks like a log.
    """
    if not arguments:
        raise SourceError("no log given: name a log file, a folder, or - for standard input")
    found: list[LogFile] = []
    for argument in arguments:
        node, path = _split_node(argument)
        if path == STDIN:
            if any(file.path == STDIN for file in found):
                raise SourceError("standard input (-) can be read only once")
            found.append(LogFile(node or "stdin", STDIN))
        else:
            found.extend(_files_of(node, Path(path)))
    notes: list[str] = []
    files = _without_copies(_without_twins(_without_repeats(found, notes), notes), notes)
    return LogSet(tuple(files), tuple(notes))


def open_log(file: LogFile) -> tuple[BinaryIO, BinaryIO]:
    """The stream of the log's text, and the stream of the file itself, whose position shows the progress.

    Raises:
        OSError: the file went away or may not be read.
    """
    raw = cast(BinaryIO, Path(file.path).open("rb"))  # noqa: SIM115 - the caller closes both
    return (cast(BinaryIO, gzip.GzipFile(fileobj=raw)), raw) if file.compressed else (raw, raw)


def _split_node(argument: str) -> tuple[str, str]:
    match = _NODE.fullmatch(argument)
    if match is None or Path(argument).exists():
        return "", argument
    return match["node"], match["path"]


def _files_of(node: str, path: Path) -> list[LogFile]:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISDIR(mode):
            return _set_of_file(node, path)
        names = _logs_in(path)
        if names:
            return _set_of_folder(node, path, names)
        files: list[LogFile] = []
        for folder in sorted(entry for entry in path.iterdir() if entry.is_dir()):
            names = _logs_in(folder)
            if names:
                files.extend(_set_of_folder(f"{node}/{folder.name}" if node else folder.name, folder, names))
    except OSError as problem:
        raise SourceError(f"{problem.filename or path}: {problem.strerror or problem}") from problem
    if not files:
        raise SourceError(f"{path}: no audit log in this folder or the folders in it (expected audit.log or the like)")
    return files


def _set_of_file(node: str, path: Path) -> list[LogFile]:
    active = active_name(path.name)
    node = node or str(path.with_name(active))
    if path.name != active:
        return [_log_file(node, path)]
    rotated = [entry for entry in path.parent.iterdir() if entry.name != active and active_name(entry.name) == active]
    return [_log_file(node, entry) for entry in [*sorted(rotated, key=_age), path]]


def _logs_in(folder: Path) -> dict[str, list[Path]]:
    """The rotated sets in a folder: the active file's name, and the files of the set."""
    sets: dict[str, list[Path]] = {}
    for entry in folder.iterdir():
        active = active_name(entry.name)
        if active.endswith(".log") and not active.startswith(".") and entry.is_file():
            sets.setdefault(active, []).append(entry)
    return sets


def _set_of_folder(node: str, folder: Path, sets: dict[str, list[Path]]) -> list[LogFile]:
    names = sorted(sets)
    if len(names) > 1:
        names = [name for name in names if "audit" in name]
    if len(names) != 1:
        raise SourceError(f"{folder}: more than one log in this folder ({', '.join(sorted(sets))}): name one of them")
    active = names[0]
    return [_log_file(node or str(folder / active), path) for path in sorted(sets[active], key=_age)]


def active_name(name: str) -> str:
    """The name of the active file of the set that a file belongs to."""
    plain = name.removesuffix(".gz")
    if match := _LUMBERJACK.fullmatch(plain):
        return match["base"] + (match["suffix"] or "")
    if match := _LOGROTATE.fullmatch(plain):
        return match["active"]
    return name


def rotated_at(name: str) -> datetime | None:
    """When the API server rotated the file of this name; None for any other file."""
    match = _LUMBERJACK.fullmatch(name.removesuffix(".gz"))
    return datetime.strptime(match["time"], _LUMBERJACK_TIME).replace(tzinfo=UTC) if match else None


def _age(path: Path) -> tuple[int, int, str]:
    """Sorts the files of a set oldest first: logrotate's by falling number, lumberjack's by time, then the active."""
    plain = path.name.removesuffix(".gz")
    if match := _LUMBERJACK.fullmatch(plain):
        return (1, 0, match["time"])
    if match := _LOGROTATE.fullmatch(plain):
        return (0, -int(match["number"]), "")
    return (2, 0, plain)


def _log_file(node: str, path: Path) -> LogFile:
    if not path.is_file():
        # A pipe such as <(zcat ...) gives its bytes only once: looking inside would lose them.
        return LogFile(node, str(path))
    with path.open("rb") as stream:
        compressed = stream.read(2) == b"\x1f\x8b"
        return LogFile(node, str(path), os.fstat(stream.fileno()).st_size, compressed)


def _without_repeats(files: Iterable[LogFile], notes: list[str]) -> Iterator[LogFile]:
    seen: dict[str, LogFile] = {}
    for file in files:
        key = file.path if file.path == STDIN else str(Path(file.path).resolve())
        if key not in seen:
            seen[key] = file
            yield file
        elif seen[key].node != file.node:
            notes.append(f"{file.path} is read once, for {seen[key].node}, although it was named for {file.node} too")


def _without_twins(files: Iterable[LogFile], notes: list[str]) -> Iterator[LogFile]:
    kept = list(files)
    paths = {file.path for file in kept}
    for file in kept:
        if file.path.endswith(".gz") and file.path.removesuffix(".gz") in paths:
            notes.append(f"{file.path} is left out: the file it was compressed from is still there")
        else:
            yield file


def _without_copies(files: Iterable[LogFile], notes: list[str]) -> list[LogFile]:
    kept = list(files)
    beginnings = [_first_line(file) for file in kept]
    largest: dict[tuple[bytes, bool], LogFile] = {}
    for file, beginning in zip(kept, beginnings, strict=True):
        rival = largest.setdefault((beginning, file.compressed), file)
        if file.size > rival.size:
            largest[beginning, file.compressed] = file
    result = []
    for file, beginning in zip(kept, beginnings, strict=True):
        original = largest[beginning, file.compressed]
        if beginning and original is not file:
            notes.append(f"{file.path} is left out: it begins with the same event as {original.path}")
            continue
        result.append(file)
        if beginning and file.compressed and (plain := largest.get((beginning, False))):
            notes.append(f"{file.path} and {plain.path} begin with the same event: what is in both counts twice")
    return result


def _first_line(file: LogFile) -> bytes:
    """The first complete line. Empty if there is none, or if reading it would use up the stream."""
    if file.path == STDIN or file.size == 0:
        return b""
    try:
        stream, raw = open_log(file)
        with raw, stream:
            line = stream.readline(_FIRST_LINE)
    except (OSError, EOFError, zlib.error):
        return b""
    return line if line.endswith(b"\n") else b""
