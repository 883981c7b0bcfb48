"""Which minutes of a node can be compared, and which of them must be read event by event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditlog.ledger.files import Reading
from auditlog.ledger.minutes import Minute, Span
from auditlog.ledger.sums import NOTHING, Key, Sum, Sums, count_by_minute, differing
from auditlog.units import MINUTE

SETTLED = 120
"""Seconds after which an event that has not arrived is late: of batches in the API server, and of Alloy's."""

MOST_EVENTS = 200_000
"""The most events that are read of one node's differing minutes. Of further minutes only numbers are compared."""


@dataclass(frozen=True, slots=True)
class Examined:
    """The minutes of one node, by what is known of them."""

    node: str
    asked: Span
    compared: Span
    under_way: Span
    """Too new for their events to be late."""
    before_files: Span
    """Older than the oldest event in a file."""
    before_loki: Span
    """Older than the first event in Loki."""
    files: Mapping[Minute, int]
    """How many events the files have, by minute."""
    loki: Mapping[Minute, int]
    """How many events Loki has, by minute."""
    read: tuple[Minute, ...]
    """They differ and are read event by event."""
    unread: tuple[Minute, ...]
    """They differ and have too many events to be read."""
    files_sums: Sums
    loki_sums: Sums

    @property
    def events(self) -> int:
        """How many events the files hold of the minutes that are compared."""
        return sum(count for minute, count in self.files.items() if minute in self.compared)


def examine(node: str, asked: Span, reading: Reading, loki: Mapping[Key, Sum] | None) -> Examined:
    """Divides a node's minutes by what is known of them. ``loki`` is None if nothing is shipped."""
    settled = asked.before(reading.clock - SETTLED)
    oldest = reading.oldest
    held = settled.until if oldest is None else min(settled.until, -(-int(oldest.timestamp()) // MINUTE) * MINUTE)
    # Who asks for the very minute in which the files begin does not ask for what was before.
    begins = asked.since if oldest is not None and oldest.timestamp() < asked.since + MINUTE else max(asked.since, held)
    in_files = {key: each for key, each in reading.sums.items() if key.minute in asked}
    in_loki = {key: each for key, each in (loki or {}).items() if key.minute in asked}
    shipped_from = min((key.minute for key in in_loki), default=settled.until) if loki is not None else begins
    has_more_in_files = any(key.minute < shipped_from for key in in_files)
    since = max(begins, shipped_from) if has_more_in_files else begins
    compared = Span(min(since, settled.until), settled.until)
    different = () if loki is None else tuple(sorted(each for each in differing(in_files, in_loki) if each in compared))
    files, others = count_by_minute(in_files), count_by_minute(in_loki)
    read: list[Minute] = []
    unread: list[Minute] = []
    total = 0
    for minute in different:
        total += max(files.get(minute, 0), others.get(minute, 0))
        (read if total <= MOST_EVENTS else unread).append(minute)
    return Examined(
        node=node,
        asked=asked,
        compared=compared,
        under_way=Span(settled.until, asked.until),
        before_files=Span(asked.since, begins),
        before_loki=Span(begins, compared.since),
        files=files,
        loki=others,
        read=tuple(read),
        unread=tuple(unread),
        files_sums=in_files,
        loki_sums=in_loki,
    )


def surplus_counted(examined: Examined, minutes: tuple[Minute, ...]) -> int:
    """How many events Loki counts beyond the files in minutes that turned out to be equal: re-sent ones."""
    return sum(
        max(0, examined.loki_sums.get(key, NOTHING).count - examined.files_sums.get(key, NOTHING).count)
        for key in examined.loki_sums.keys() | examined.files_sums.keys()
        if key.minute in minutes
    )
