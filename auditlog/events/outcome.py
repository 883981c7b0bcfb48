"""What an answer is worth: found, certainly none, or cannot be known.

"Nobody did it" and "the log cannot show it" must not look the same. Every command that answers from logs ends with an
`Outcome`; its exit code is 0, 1 or 3, and 2 is left for errors (`auditlog.errors`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """What an answer says."""

    FOUND = "found"
    """The log shows what was asked for. More may be missing: see the doubts."""
    NONE = "certainly none"
    """The log would show it if it had happened, and does not."""
    UNKNOWN = "cannot be known"
    """The log shows nothing, and might not show it if it had happened."""

    @property
    def exit_code(self) -> int:
        """0, 1 or 3."""
        return _EXIT_CODES[self.value]


_EXIT_CODES = {Verdict.FOUND.value: 0, Verdict.NONE.value: 1, Verdict.UNKNOWN.value: 3}

EXIT_CODES = "Exit code 0: found; 1: certainly none; 2: error; 3: cannot be known."
"""For help texts."""


class Cause(StrEnum):
    """What keeps a log from showing everything."""

    POLICY_UNKNOWN = "policy unknown"
    """Nobody said which policy the log was written under."""
    NOT_RECORDED = "not recorded"
    """The policy does not record such requests, or not all of them."""
    OTHER_POLICY = "other policy"
    """The log was written, in part at least, under another policy than the one that was named."""
    NODES = "nodes"
    """Logs of control-plane nodes are missing, or how many nodes there are is not known."""
    TIME = "time"
    """The logs do not reach over the time that was asked for."""
    SILENCE = "silence"
    """A log is silent for longer than it should be, or nothing shows how long it may be silent."""
    CLOCK = "clock"
    """The times in a log go backwards."""
    DAMAGE = "damage"
    """A part of a log cannot be read, or an answer was too large to be kept."""
    CONTENT = "content"
    """Requests are in the log without the content that would decide."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the time, on one node."""

    node: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason why the log may not show everything."""

    cause: Cause
    """What kind of reason it is."""
    reason: str
    """One sentence without a full stop."""
    advice: str = ""
    """What to do about it; "" if nothing can be done."""
    rule: int | None = None
    """The policy's rule that is to blame, counted from 1; None for no rule."""
    rule_text: str = ""
    """That rule in short."""
    remedy: str = ""
    """Rules as YAML, to be pasted where `advice` says."""
    spans: tuple[Span, ...] = ()
    """Where and when that policy was in force, or is not known. Empty if one policy is assumed for all times."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict, and what it rests on."""

    verdict: Verdict
    """Found, certainly none, or cannot be known."""
    exit_code: int
    """The command's exit code: 0, 1 or 3."""
    doubts: tuple[Doubt, ...] = ()
    """Why something may be missing; empty if the verdict is "certainly none"."""
    first: datetime | None = None
    """The answer is about requests that ended at this time or later. None if no log has events."""
    last: datetime | None = None
    """The answer is about requests that ended at this time or before."""


def outcome(
    found: bool, doubts: Iterable[Doubt], first: datetime | None = None, last: datetime | None = None
) -> Outcome:
    """The outcome of a question. It is "certainly none" only if there is no doubt and a log has events."""
    all_doubts = tuple(doubts)
    nothing = Verdict.UNKNOWN if all_doubts or first is None else Verdict.NONE
    verdict = Verdict.FOUND if found else nothing
    return Outcome(verdict, verdict.exit_code, all_doubts, first, last)
