"""One command at a time changes a lab, and one builds tools."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(path: Path, other: str) -> Iterator[None]:
    """Hold the lock file ``path``; wait, and say so, while ``other`` (as "another command") holds it.

    The kernel lets go of it when this process ends, however it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for {other} to end", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
