"""The answer of ``node/facts.sh``: lines by their names, and the readers that make a value of them.

A line is a name and words, texts in base64. A name is one word, or two where a fact stands for several things of a
kind, as in ``file policy``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, TypeVar

from auditlog.errors import AuditlogError

_T = TypeVar("_T")

ABSENT = "absent"
"""What stands for a file or a hash that is not there."""
_OF_SEVERAL = ("file", "written")


class FactsError(AuditlogError):
    """The node's answer cannot be understood; the message says which line."""


class Missing(Enum):
    """What a reader gives where the answer has no line of its name: the script on the node may be an older one."""

    MISSING = "missing"


MISSING = Missing.MISSING


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the answer: its number, from 1, and the words behind its name."""

    number: int
    words: tuple[str, ...]

    def read(self, parse: Callable[[Sequence[str]], _T]) -> _T:
        """Raises FactsError with the line's number where ``parse`` raises IndexError or ValueError."""
        try:
            return parse(self.words)
        except (IndexError, ValueError) as error:
            raise FactsError(f"line {self.number}: {error}") from error


Answer = Mapping[str, Sequence[Line]]


class Reader(Protocol):
    """Makes the value of one fact."""

    @property
    def names(self) -> Collection[str]:
        """The lines that it looks at."""

    def read(self, answer: Answer) -> Any:
        """The value, or MISSING. Raises FactsError."""


@dataclass(frozen=True, slots=True)
class _OfOneName:
    """A fact that the lines of one name tell. ``parse`` makes a value of the words of a line."""

    name: str
    parse: Callable[[Sequence[str]], Any]

    @property
    def names(self) -> Collection[str]:
        return (self.name,)


class One(_OfOneName):
    """A fact of one line; the last one counts where there are several."""

    __slots__ = ()

    def read(self, answer: Answer) -> Any:
        lines = answer.get(self.name)
        return lines[-1].read(self.parse) if lines else MISSING


class Each(_OfOneName):
    """A fact that is a tuple, with a value for each line of the name."""

    __slots__ = ()

    def read(self, answer: Answer) -> Any:
        return tuple(line.read(self.parse) for line in answer.get(self.name, ()))


class Together:
    """A fact that is made of several; one that is missing is None."""

    def __init__(self, make: Callable[..., Any], *parts: Reader) -> None:
        self._make = make
        self._parts = parts

    @property
    def names(self) -> Collection[str]:
        return [name for part in self._parts for name in part.names]

    def read(self, answer: Answer) -> Any:
        values = [part.read(answer) for part in self._parts]
        return self._make(*(None if value is MISSING else value for value in values))


def answer_of(output: str, names: Collection[str]) -> Answer:
    """The lines of what the script printed. Raises FactsError where it is no whole answer, or has other names."""
    lines = output.splitlines()
    if not lines or lines[0] != "format 1":
        cause = "; the account's shell prints that, also where nobody is at a terminal" if "format 1" in lines else ""
        raise FactsError(f"the answer does not start with 'format 1' but with {lines[0] if lines else ''!r}{cause}")
    if lines[-1] != "end":
        raise FactsError("the answer breaks off before its end")
    answer: dict[str, list[Line]] = {}
    for number, line in enumerate(lines[1:-1], start=2):
        name, *words = line.split(" ")
        if name in _OF_SEVERAL and words:
            name = f"{name} {words.pop(0)}"
        elif name not in names:
            raise FactsError(f"line {number}: unknown fact {name!r}")
        answer.setdefault(name, []).append(Line(number, tuple(words)))
    return answer


def word(words: Sequence[str]) -> str:
    """The first word as it is."""
    return words[0]


def number(words: Sequence[str]) -> int:
    """The first word as a whole number."""
    return int(words[0])


def text(words: Sequence[str]) -> str:
    """The first word, which is base64 of a text."""
    return decoded(words[0]).decode()


def decoded(encoded: str) -> bytes:
    """Raises ValueError for what is no base64."""
    return base64.b64decode(encoded, validate=True)


def sha256_or_none(words: Sequence[str]) -> str | None:
    """A hash, or None where the file is absent."""
    return None if words[0] == ABSENT else words[0]


def time_or_zero(words: Sequence[str], index: int) -> int:
    """A time in seconds since the epoch that an older script does not print."""
    return int(words[index]) if len(words) > index else 0


def folder_changed(words: Sequence[str]) -> int:
    """When the folder of an absent file was last changed, in seconds since the epoch; 0 where the file is there."""
    return time_or_zero(words, 1) if words[0] == ABSENT else 0
