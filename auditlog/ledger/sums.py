"""Counts and checksums by minute and stage, and the minutes in which two sides differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from auditlog.ledger.minutes import Minute


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of some events: how many, the bytes of their lines without line breaks, and the checksum of their IDs."""

    count: int = 0
    bytes: int = 0
    checksum: int = 0

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.count + other.count, self.bytes + other.bytes, self.checksum + other.checksum)


@dataclass(frozen=True, slots=True)
class Key:
    """The events that are summed up together: of one minute and stage."""

    minute: Minute
    stage: str


Sums = Mapping[Key, Sum]
"""Sums by key. A missing key has no events."""

NOTHING = Sum()


def added(parts: Iterable[tuple[Key, Sum]]) -> dict[Key, Sum]:
    """Sums of several files as one."""
    result: dict[Key, Sum] = {}
    for key, part in parts:
        result[key] = result.get(key, NOTHING) + part
    return result


def differing(one: Sums, other: Sums) -> frozenset[Minute]:
    """The minutes in which the two are not equal."""
    return frozenset(
        key.minute for key in one.keys() | other.keys() if one.get(key, NOTHING) != other.get(key, NOTHING)
    )


def count_by_minute(sums: Sums) -> dict[Minute, int]:
    """How many events each minute has, of all stages."""
    result: dict[Minute, int] = {}
    for key, each in sums.items():
        result[key.minute] = result.get(key.minute, 0) + each.count
    return result


def count_by_stage(sums: Sums) -> dict[str, int]:
    """How many events there are of each stage."""
    result: dict[str, int] = {}
    for key, each in sums.items():
        result[key.stage] = result.get(key.stage, 0) + each.count
    return dict(sorted(result.items()))
