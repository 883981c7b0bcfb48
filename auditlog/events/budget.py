"""How long a log lasts in a given space, and how long it should last."""

from __future__ import annotations

import re
from dataclasses import dataclass

from auditlog.errors import AuditlogError

MEGABYTE = 1024 * 1024
"""What --audit-log-maxsize counts in (lumberjack)."""

_UNITS = {
    "": 1,
    "B": 1,
    "K": 10**3,
    "KB": 10**3,
    "M": 10**6,
    "MB": 10**6,
    "G": 10**9,
    "GB": 10**9,
    "T": 10**12,
    "TB": 10**12,
    "KI": 2**10,
    "KIB": 2**10,
    "MI": 2**20,
    "MIB": 2**20,
    "GI": 2**30,
    "GIB": 2**30,
    "TI": 2**40,
    "TIB": 2**40,
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
_DAYS = re.compile(r"(\d+(?:\.\d+)?)\s*(d|days?|w|weeks?)?")
_WEEK = 7


class BudgetError(AuditlogError):
    """A size or a rotation setting does not give a budget."""


@dataclass(frozen=True, slots=True)
class DiskBudget:
    """What kube-apiserver keeps of one node's log before it deletes the oldest file.

    `maxsize` (MB) and `maxbackup` (files) are the flags of that name; `maxage` (days) deletes earlier; 0: never.

    Raises:
        BudgetError: a value that stands for "no limit" or makes no sense.
    """

    maxsize: int
    maxbackup: int
    maxage: int = 0

    def __post_init__(self) -> None:
        for flag, value, least in (
            ("maxsize", self.maxsize, 1),
            ("maxbackup", self.maxbackup, 1),
            ("maxage", self.maxage, 0),
        ):
            if value < least:
                meaning = ": 0 means no limit, which leaves nothing to compute" if value == 0 else ""
                raise BudgetError(f"--audit-log-{flag} is {value}; {least} or more is needed{meaning}")

    @property
    def bytes(self) -> int:
        """The most the log takes: the rotated files and the one being written."""
        return self.maxsize * MEGABYTE * (self.maxbackup + 1)


def parse_size(text: str) -> int:
    """Bytes meant by `500MB`, `10GiB`, `1.5Ti` or a plain number.

    Raises:
        BudgetError: not a size, or nothing.
    """
    match = _SIZE.fullmatch(text.strip())
    unit = _UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None or (size := round(float(match[1]) * unit)) < 1:
        raise BudgetError(f"{text!r} is not a size: a number above 0 with B, KB, MB, GB, TB, KiB, MiB, GiB or TiB")
    return size


@dataclass(frozen=True, slots=True)
class Budget:
    """A log of `days` of 24 hours takes at most `bytes` before compression, on each node."""

    days: float
    bytes: int

    @property
    def bytes_per_day(self) -> float:
        """What a node may write in a day."""
        return self.bytes / self.days


def parse_days(text: str) -> float:
    """Days meant by `30d`, `30`, `2w` or `90 days`.

    Raises:
        BudgetError: no time, or none above 0.
    """
    match = _DAYS.fullmatch(text.strip())
    days = float(match[1]) * (_WEEK if (match[2] or "").startswith("w") else 1) if match else 0.0
    if days <= 0:
        raise BudgetError(f"{text!r} is no time; allowed: days or weeks above 0, such as 30d or 4w")
    return days
