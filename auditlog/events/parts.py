"""Logs in pieces that can be read by themselves, by one process or by several."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing.context import BaseContext
from typing import Any, BinaryIO, TypeVar

from auditlog.errors import AuditlogError
from auditlog.events.reading import Progress, seek_to_line
from auditlog.events.sources import STDIN, LogFile, LogSet, open_log

_AHEAD = 2
"""How many parts of each process may be done or under way before the first of them is taken. It bounds memory."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a log: the lines that start in the `length` bytes from `start`, or all of them if `length` is None."""

    file: LogFile
    start: int = 0
    length: int | None = None

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.file.size if self.length is None else self.length


def cut(logs: LogSet, part_bytes: int) -> Iterator[Part]:
    """The parts of the logs, in the order of the files. Compressed files and standard input cannot be cut."""
    for file in logs.files:
        if file.path == STDIN or file.compressed or file.size <= part_bytes:
            yield Part(file)
            continue
        for start in range(0, file.size, part_bytes):
            yield Part(file, start, min(part_bytes, file.size - start))


@contextmanager
def open_part(part: Part) -> Iterator[tuple[BinaryIO, BinaryIO, int | None]]:
    """The stream at the part's first line, the stream of the file itself, and how many bytes from there lines start in.

    Raises:
        OSError: the file may not be read, or is shorter than when it was cut: the API server rotated it meanwhile.
    """
    stream, raw = open_log(part.file)
    with raw, stream:
        if part.length is not None and os.fstat(raw.fileno()).st_size < part.start + part.length:
            raise OSError("it became shorter while it was read; it may have been rotated")
        yield stream, raw, seek_to_line(stream, part.start, part.length)


def can_share(parts: Sequence[Part], processes: int) -> bool:
    """Whether several processes can read these parts."""
    return min(processes, len(parts)) > 1 and all(part.file.path != STDIN for part in parts)


def in_processes(
    parts: Sequence[Part],
    processes: int,
    make: Callable[[], Callable[[Part], Result]],
    progress: Progress = lambda _: None,
) -> Generator[Result]:
    """What `make()` makes of each part, in the order of the parts. `make` runs once in each process.

    `make` and the results pass between processes, so they can be pickled. `progress` is called with the bytes on disk
    as parts are done. Close the iterator to end the processes early.

    Raises:
        AuditlogError: a process was killed, by the kernel for want of memory as a rule.
    """
    waiting: deque[tuple[Part, Future[Any]]] = deque()
    left = iter(parts)
    with ProcessPoolExecutor(min(processes, len(parts)), _context(), _start_worker, (make,)) as pool:
        try:
            for part in islice(left, _AHEAD * processes):
                waiting.append((part, pool.submit(_do, part)))
            while waiting:
                part, future = waiting.popleft()
                result: Result = future.result()
                for following in islice(left, 1):
                    waiting.append((following, pool.submit(_do, following)))
                progress(part.size)
                yield result
        except BrokenProcessPool as problem:
            raise AuditlogError(
                "a process that read a part of the log was killed; --processes 1 reads the log in one, with less memory"
            ) from problem
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_work: Callable[[Part], object]
"""What this worker process does with a part, set when it starts."""


def _start_worker(make: Callable[[], Callable[[Part], object]]) -> None:
    global _work
    # Ctrl-C reaches every process of the terminal; the one that started the workers ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _work = make()


def _do(part: Part) -> object:
    return _work(part)


def _context() -> BaseContext:
    """Forks if that is safe: on Linux, without threads. Forking takes no time, which counts for logs of seconds."""
    safe = sys.platform == "linux" and threading.active_count() == 1
    return multiprocessing.get_context("fork" if safe else "spawn")
