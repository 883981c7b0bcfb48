"""The chain's file: read as a whole, written by appending one line."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auditlog.errors import AuditlogError


class ChainError(AuditlogError):
    """The file cannot be read or written. The message names it."""


@contextmanager
def locked(path: Path) -> Iterator[ChainFile]:
    """The file, locked until the block ends. Makes its folder if it is missing. Raises ChainError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise ChainError(
            f"--chain {path}: {error.strerror}; allowed: a file that can be read and appended to"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield ChainFile(path, descriptor)
    finally:
        os.close(descriptor)


class ChainFile:
    """An open chain file."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path, self._descriptor = path, descriptor

    def text(self) -> str:
        """The whole text. Raises ChainError."""
        try:
            return self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ChainError(f"--chain {self._path}: {error}; allowed: a chain that auditlog ledger wrote") from error

    def append(self, line: str) -> None:
        """Adds a line that lasts. Raises ChainError."""
        try:
            # A run that was cut off may have left half a line, which the digests name.
            text = "" if self.text().endswith("\n") or not self.text() else "\n"
            os.write(self._descriptor, f"{text}{line}\n".encode())
            os.fsync(self._descriptor)
        except OSError as error:
            raise ChainError(f"--chain {self._path}: {error.strerror}") from error
