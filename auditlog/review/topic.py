"""The form of a decision: few lines, each with a topic and its sentences; and how a sentence names nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST_NAMES = 4
"""Names that are written out where there are more than one above this."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One line of the decision: what it is about, and one sentence or several."""

    name: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """The lines in the order in which a reader needs them; none if no node changes."""

    topics: tuple[Topic, ...]

    def __bool__(self) -> bool:
        return bool(self.topics)


def counted(names: Sequence[str], count: int) -> str:
    return f"{some(names)} ({len(names)} of {count} node{'' if count == 1 else 's'})"


def some(names: Sequence[str]) -> str:
    if len(names) <= MOST_NAMES + 1:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES} more"


def listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
