"""Totals by name, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

KEPT_NAMES = 10_000
"""Names that a tally keeps when it must forget some. Below twice as many, every total is exact."""


@dataclass(frozen=True, slots=True)
class Volume:
    """Events and their bytes, newlines included."""

    events: int = 0
    bytes: int = 0

    def __add__(self, other: Volume) -> Volume:
        return Volume(self.events + other.events, self.bytes + other.bytes)


NOTHING = Volume()


@dataclass(slots=True)
class Tally:
    """What was recorded and what would be written, by name.

    Beyond twice `kept` names, the smallest are moved to `forgotten`. A name that returns starts again from 0. So its
    total may lack up to `undercount` bytes: the largest totals of all such moves, added up.
    """

    kept: int = KEPT_NAMES
    undercount: int = 0
    _totals: dict[str, list[int]] = field(default_factory=dict)
    _forgotten: list[int] = field(default_factory=lambda: [0, 0, 0, 0])

    def add(self, name: str, recorded: Volume, written: Volume) -> None:
        """Adds to a name's totals."""
        self._add(name, (recorded.events, recorded.bytes, written.events, written.bytes))

    def merge(self, other: Tally) -> None:
        """Adds the totals of another tally."""
        for name, totals in other._totals.items():
            self._add(name, totals)
        self._forget(other._forgotten)
        self.undercount += other.undercount

    def largest_first(self) -> Iterator[tuple[str, Volume, Volume]]:
        """Name, recorded and written, by falling bytes; equal ones by name."""
        for name, totals in sorted(self._totals.items(), key=lambda item: (-_weight(item[1]), item[0])):
            yield name, Volume(*totals[:2]), Volume(*totals[2:])

    @property
    def forgotten(self) -> tuple[Volume, Volume]:
        """Recorded and written totals of the names that were forgotten."""
        return Volume(*self._forgotten[:2]), Volume(*self._forgotten[2:])

    def _add(self, name: str, amounts: list[int] | tuple[int, int, int, int]) -> None:
        totals = self._totals.get(name)
        if totals is None:
            if len(self._totals) >= 2 * self.kept:
                self._shrink()
            totals = self._totals[name] = [0, 0, 0, 0]
        for index, amount in enumerate(amounts):
            totals[index] += amount

    def _shrink(self) -> None:
        ranked = sorted(self._totals.items(), key=lambda item: _weight(item[1]), reverse=True)
        self._totals = dict(ranked[: self.kept])
        for _, totals in ranked[self.kept :]:
            self._forget(totals)
        self.undercount += _weight(ranked[self.kept][1])

    def _forget(self, totals: list[int]) -> None:
        for index, amount in enumerate(totals):
            self._forgotten[index] += amount


def _weight(totals: list[int]) -> int:
    return max(totals[1], totals[3])
