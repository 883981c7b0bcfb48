"""The steps of the transaction, as the node's scripts themselves name them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from auditlog.apiserver.node_scripts import bundle
from tests.lab.faults.halt import Rename, Side

WAY_BACK = ("put-back", "restored")


def step_names() -> tuple[str, ...]:
    """Every step of a change that succeeds, in their order."""
    (names,) = re.findall(r'^STEPS="([^"]+)"$', bundle(), re.MULTILINE)
    return tuple(names.split())


def recorded_by_name() -> frozenset[str]:
    """The steps that the scripts record one by one, outside that list: those of the way back."""
    return frozenset(re.findall(r"\bstep ([a-z][a-z-]*)\b", _code()))


@dataclass(frozen=True, slots=True)
class Moment:
    """Right before or right after the journal says that a step begins.

    Before it, all of the step before has been done and the journal does not know; after it, nothing of this one has.
    """

    side: Side
    step: str

    @property
    def rename(self) -> Rename:
        return Rename("*/journal.new", f"step={self.step}")

    def __str__(self) -> str:
        return f"{self.side} {self.step}"


def every_moment() -> tuple[Moment, ...]:
    """The moments of a change that succeeds, in their order."""
    sides: tuple[Side, ...] = ("before", "after")
    return tuple(Moment(side, step) for step in step_names() for side in sides)


def after_each_record() -> tuple[Moment, ...]:
    """For each step the moment when the journal names it and nothing of it is done."""
    return tuple(moment for moment in every_moment() if moment.side == "after")


def _code() -> str:
    return "\n".join(line for line in bundle().splitlines() if not line.lstrip().startswith("#"))
