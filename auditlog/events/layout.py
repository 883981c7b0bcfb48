"""Tables, paragraphs and times for terminals."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo

NARROW = 80
"""Columns of output that goes to no terminal."""

_ZONE: ContextVar[tzinfo] = ContextVar("zone", default=UTC)
_BETWEEN = "  "
_INDENT = "  "


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = (), width: int | None = None
) -> Iterator[str]:
    """Aligned columns; `right` are the columns aligned to the right.

    If they take more than `width`, each row takes several lines: as many columns as fit, the rest below them.
    """
    cells = [list(header), *([safe(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    ends = frozenset(right)
    lines = _lines_of_columns(widths, width)
    if width is not None:
        widths = [min(each, width - len(_INDENT)) for each in widths]
    for row in cells:
        for number, columns in enumerate(lines):
            indent = _INDENT if number else ""
            yield from (f"{indent}{line}" for line in _row(row, columns, widths, ends))


def _lines_of_columns(widths: Sequence[int], width: int | None) -> list[list[int]]:
    """Which columns are on which line of a row."""
    lines: list[list[int]] = [[]]
    used = 0
    for column, needed in enumerate(widths):
        if lines[-1] and width is not None and used + len(_BETWEEN) + needed > width:
            lines.append([])
            used = len(_INDENT)
        used += needed + (len(_BETWEEN) if lines[-1] else 0)
        lines[-1].append(column)
    return lines


def _row(row: Sequence[str], columns: Sequence[int], widths: Sequence[int], right: frozenset[int]) -> Iterator[str]:
    """One line for these columns, or several if one of them is too long for any line."""
    pieces = [_pieces(row[column], widths[column]) for column in columns]
    for number in range(max(map(len, pieces))):
        cells = (
            (piece[number] if number < len(piece) else "", column)
            for piece, column in zip(pieces, columns, strict=True)
        )
        yield _BETWEEN.join(
            cell.rjust(widths[column]) if column in right else cell.ljust(widths[column]) for cell, column in cells
        ).rstrip()


def _pieces(cell: str, width: int) -> list[str]:
    return [cell] if len(cell) <= width else textwrap.wrap(cell, width)


def paragraph(text: str, width: int | None, indent: str = "") -> Iterator[str]:
    """A sentence in lines of at most `width`; lines after the first are indented further."""
    if width is None:
        yield f"{indent}{text}"
        return
    yield from textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}{_INDENT}",
        break_on_hyphens=False,
        break_long_words=False,
    )


def listed(words: Sequence[str], last: str) -> str:
    """Words with commas, and `last` before the last one: `a, b and c`."""
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


@contextmanager
def shown_in(zone: tzinfo) -> Iterator[None]:
    """Inside the block, texts show times in this zone."""
    token = _ZONE.set(zone)
    try:
        yield
    finally:
        _ZONE.reset(token)


def when(moment: datetime) -> str:
    """A time to the second: in UTC, unless `shown_in` says otherwise."""
    zone = _ZONE.get()
    if zone is UTC:
        return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return moment.astimezone(zone).isoformat(" ", "seconds")


def safe(text: str) -> str:
    """Text for a terminal, with control characters escaped: clients may put some into their user agent."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def safe_lines(text: str) -> str:
    """Like `safe`, for a text of several lines."""
    return "\n".join(map(safe, text.splitlines()))
