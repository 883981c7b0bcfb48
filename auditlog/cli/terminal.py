"""The terminal: its width, its height, and a progress bar on standard error.

rich is imported only for a terminal: it takes a tenth of a second.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from auditlog.events.layout import NARROW

_SECONDS_BETWEEN_DRAWINGS = 0.1


def text_width(*, wide: bool = False) -> int | None:
    """The columns that text may take: the terminal's, 80 without one; None for as many as it needs."""
    if wide:
        return None
    return shutil.get_terminal_size((NARROW, 24)).columns if sys.stdout.isatty() else NARROW


def is_long(text: str) -> bool:
    """Whether a text has more lines than the terminal."""
    return text.count("\n") >= shutil.get_terminal_size((NARROW, 24)).lines


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[int], object]]:
    """A bar on standard error while it is a terminal; `total` is in bytes, 0 when it is not known."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    # By itself it draws from a thread, and only a program without threads can fork its workers safely.
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as progress:
        task = progress.add_task("", total=total or None)
        drawn = time.monotonic()

        def advance(count: int) -> None:
            nonlocal drawn
            progress.advance(task, count)
            if time.monotonic() - drawn >= _SECONDS_BETWEEN_DRAWINGS:
                drawn = time.monotonic()
                progress.refresh()

        yield advance


@contextmanager
def counting_bar(total: int, what: str) -> Iterator[Callable[[int], object]]:
    """The same for things that are counted, such as clusters."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn(what))
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as progress:
        task = progress.add_task("", total=total)

        def advance(count: int) -> None:
            progress.advance(task, count)
            progress.refresh()

        yield advance
