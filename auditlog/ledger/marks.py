"""The events of minutes that differ, as multisets: which are missing, doubled or altered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from auditlog.ledger.minutes import Minute, minute_of


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """One event without its content. ``bytes`` is the length of its line."""

    moment: datetime
    audit_id: str
    stage: str
    bytes: int

    @property
    def minute(self) -> Minute:
        """The minute that it belongs to."""
        return minute_of(self.moment)

    @property
    def identity(self) -> tuple[datetime, str, str]:
        """What identifies the event, whatever its line holds."""
        return self.moment, self.audit_id, self.stage


@dataclass(frozen=True, slots=True)
class Difference:
    """How the files' events and Loki's differ."""

    missing: tuple[Mark, ...] = ()
    """In a file and not in Loki."""
    surplus: tuple[Mark, ...] = ()
    """In Loki and in no file."""
    altered: tuple[tuple[Mark, Mark], ...] = ()
    """In both, with lines of different length: the files' mark and Loki's."""
    doubled_in_files: tuple[Mark, ...] = ()
    """More than once in the files."""
    doubled_in_loki: tuple[Mark, ...] = ()
    """More than once in Loki, with different lines."""

    @property
    def is_none(self) -> bool:
        """Whether both sides are equal."""
        return self == Difference()


def compare(files: Iterable[Mark], loki: Iterable[Mark]) -> Difference:
    """The difference of two multisets.

    Loki shows equal lines of one time once, so equal marks count once on its side. In the files each counts, because
    the API server writes no event twice.
    """
    in_files, in_loki = Counter(files), Counter(set(loki))
    doubled_in_files = sorted((Counter(in_files) - Counter(set(in_files))).elements())
    missing = {mark.identity: mark for mark in in_files if mark not in in_loki}
    surplus = {mark.identity: mark for mark in in_loki if mark not in in_files}
    altered, doubled_in_loki = [], []
    for identity in sorted(missing.keys() & surplus.keys()):
        altered.append((missing.pop(identity), surplus.pop(identity)))
    held = {mark.identity for mark in in_files}
    for identity in sorted(surplus.keys() & held):
        doubled_in_loki.append(surplus.pop(identity))
    return Difference(
        tuple(sorted(missing.values())),
        tuple(sorted(surplus.values())),
        tuple(altered),
        tuple(doubled_in_files),
        tuple(doubled_in_loki),
    )
