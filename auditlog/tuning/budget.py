"""The budget: for how many days the log must be kept, in how much space on each node."""

from __future__ import annotations

import re
from dataclasses import dataclass

from auditlog.events.budget import BudgetError

_DAYS = re.compile(r"(\d+(?:\.\d+)?)\s*(d|days?|w|weeks?)?")
_WEEK = 7


@dataclass(frozen=True, slots=True)
class Budget:
    """`days` of 24 hours in `bytes` before compression, on each node."""

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
