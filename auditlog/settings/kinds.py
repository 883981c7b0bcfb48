"""The kinds of values that settings hold: how each is checked, and what a JSON Schema says about it.

A kind's schema is as strict as a schema can be, and never stricter than ``read``: an editor must not refuse what the
program takes. Patterns are in the common part of Python's and ECMAScript's regular expressions and cover the whole
value. ``valid`` has what they cannot say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

from auditlog.settings.hint import did_you_mean
from auditlog.settings.mistake import Place
from auditlog.settings.setting import JsonSchema

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Text:
    """A text that matches ``pattern`` and is ``valid``. No message repeats one that is ``hidden``.

    ``instead`` makes of a text that is not allowed what to write, as ``, here …``; empty where it cannot tell.
    """

    allowed: str
    pattern: str = r"[\s\S]+"
    valid: Callable[[str], bool] = bool
    hidden: bool = False
    instead: Callable[[str], str] = lambda _: ""
    type: ClassVar[str] = "text"

    def read(self, value: Any, place: Place) -> str | None:
        if isinstance(value, str) and re.fullmatch(self.pattern, value) and self.valid(value):
            return value
        instead = self.instead(value) if isinstance(value, str) else ""
        place.mistake("is something else" if self.hidden else f"is {value!r}", f"{self.allowed}{instead}")
        return None

    def schema(self) -> JsonSchema:
        # The engine hands nothing over as an empty text.
        takes_nothing = re.fullmatch(self.pattern, "") is not None
        return {"type": ["string", "null"] if takes_nothing else "string", "pattern": f"^(?:{self.pattern})$"}


ANY_TEXT = r"[\s\S]*"
"""The pattern of a text that may be empty."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few texts."""

    names: tuple[str, ...]
    type: ClassVar[str] = "text"

    @property
    def allowed(self) -> str:
        return ("one of " if len(self.names) > 1 else "") + ", ".join(self.names)

    def read(self, value: Any, place: Place) -> str | None:
        if isinstance(value, str) and value in self.names:
            return value
        place.mistake(f"is {value!r}{did_you_mean(value, self.names)}", self.allowed)
        return None

    def schema(self) -> JsonSchema:
        return {"enum": list(self.names)}


@dataclass(frozen=True, slots=True)
class Choice(Generic[ChoiceT]):
    """One member of an enumeration."""

    choices: type[ChoiceT]
    type: ClassVar[str] = "text"

    @property
    def allowed(self) -> str:
        return "one of " + ", ".join(self.choices)

    def read(self, value: Any, place: Place) -> ChoiceT | None:
        if isinstance(value, str) and value in list(self.choices):
            return self.choices(value)
        place.mistake(f"is {value!r}{did_you_mean(value, list(self.choices))}", self.allowed)
        return None

    def schema(self) -> JsonSchema:
        return {"enum": [choice.value for choice in self.choices]}


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number from ``low`` to ``high``, both included."""

    low: int
    high: int
    type: ClassVar[str] = "whole number"

    @property
    def allowed(self) -> str:
        return f"a whole number from {self.low} to {self.high}"

    def read(self, value: Any, place: Place) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high:
            return value
        place.mistake(f"is {value!r}", self.allowed)
        return None

    def schema(self) -> JsonSchema:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number above 0, or from 0 on."""

    zero: bool = False
    type: ClassVar[str] = "number"

    @property
    def allowed(self) -> str:
        return "a number of 0 or more" if self.zero else "a number above 0"

    def read(self, value: Any, place: Place) -> float | None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if is_number and (value > 0 or (self.zero and value == 0)):
            return float(value)
        place.mistake(f"is {value!r}", self.allowed)
        return None

    def schema(self) -> JsonSchema:
        return {"type": "number", "minimum" if self.zero else "exclusiveMinimum": 0}


@dataclass(frozen=True, slots=True)
class Boolean:
    type: ClassVar[str] = "true or false"
    allowed: ClassVar[str] = "true or false"

    def read(self, value: Any, place: Place) -> bool | None:
        if isinstance(value, bool):
            return value
        place.mistake(f"is {value!r}", self.allowed)
        return None

    def schema(self) -> JsonSchema:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Switch:
    """A value that is on or off. YAML 1.1 reads the bare words as true and false, 1.2 as the texts they are."""

    type: ClassVar[str] = "on or off"
    allowed: ClassVar[str] = "on or off"
    _on: ClassVar[tuple[str, ...]] = ("on", "true")
    _off: ClassVar[tuple[str, ...]] = ("off", "false")

    def read(self, value: Any, place: Place) -> bool | None:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value in (*self._on, *self._off):
            return value in self._on
        place.mistake(f"is {value!r}", self.allowed)
        return None

    def schema(self) -> JsonSchema:
        return {"enum": [*self._on, *self._off, True, False]}
