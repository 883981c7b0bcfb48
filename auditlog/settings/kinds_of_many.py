"""The kinds of settings that hold several values: lists and mappings whose keys are not settings themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeVar

from auditlog.settings.hint import did_you_mean
from auditlog.settings.mistake import Place
from auditlog.settings.setting import Encrypted, JsonSchema, Kind, in_clear_or_encrypted

T = TypeVar("T")
ChoiceT = TypeVar("ChoiceT", bound=StrEnum)

_SHORT_LIST = 10


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of texts, of ``valid`` ones, with ``least`` of them or more."""

    allowed: str = "a list of texts"
    valid: Callable[[str], bool] = lambda _: True
    least: int = 0
    type: ClassVar[str] = "list of texts"

    def read(self, value: Any, place: Place) -> tuple[str, ...] | None:
        if (
            isinstance(value, list)
            and len(value) >= self.least
            and all(isinstance(item, str) and self.valid(item) for item in value)
        ):
            return tuple(value)
        place.mistake(f"is {value!r}", self.allowed)
        return None

    def schema(self) -> JsonSchema:
        return {"type": "array", "items": in_clear_or_encrypted({"type": "string"}), "minItems": self.least}


@dataclass(frozen=True, slots=True)
class Choices(Generic[ChoiceT]):
    """A list of members of an enumeration."""

    choices: type[ChoiceT]
    type: ClassVar[str] = "list of texts"

    @property
    def allowed(self) -> str:
        return "of " + ", ".join(self.choices)

    def read(self, value: Any, place: Place) -> tuple[ChoiceT, ...] | None:
        texts = Texts().read(value, place)
        known = list(self.choices)
        for text in texts or ():
            if text not in known:
                place.mistake(f"has {text!r}{did_you_mean(text, known)}", self.allowed)
        return None if texts is None else tuple(self.choices(text) for text in texts if text in known)

    def schema(self) -> JsonSchema:
        return {"type": "array", "items": {"enum": [choice.value for choice in self.choices]}}


@dataclass(frozen=True, slots=True)
class Names:
    """A list of names that exist; ``listed`` says what is allowed where they are too many for a message."""

    names: tuple[str, ...]
    listed: str
    type: ClassVar[str] = "list of texts"

    @property
    def allowed(self) -> str:
        return ", ".join(self.names) if len(self.names) < _SHORT_LIST else self.listed

    def read(self, value: Any, place: Place) -> tuple[str, ...] | None:
        texts = Texts().read(value, place)
        for text in texts or ():
            self.check(text, place)
        return texts

    def check(self, name: Any, place: Place) -> None:
        """Keeps an error if ``name`` is none of them."""
        if name in self.names:
            return
        place.mistake(f"has {name!r}{did_you_mean(name, self.names)}", self.allowed)

    def schema(self) -> JsonSchema:
        return {"type": "array", "items": {"enum": list(self.names)}}


@dataclass(frozen=True, slots=True)
class Entries(Generic[T]):
    """A mapping from names that exist to values of one kind."""

    names: Names
    kind: Kind[T]
    type: ClassVar[str] = "mapping"

    @property
    def allowed(self) -> str:
        return f"{self.kind.allowed} for each of: {self.names.allowed}"

    def read(self, value: Any, place: Place) -> Mapping[str, T] | None:
        if not isinstance(value, Mapping):
            place.mistake(f"is {value!r}", "a mapping")
            return None
        found: dict[str, T] = {}
        for name, entry in value.items():
            self.names.check(name, place)
            read = None if isinstance(entry, Encrypted) else self.kind.read(entry, place.at(str(name)))
            if read is not None:
                found[name] = read
        return MappingProxyType(found)

    def schema(self) -> JsonSchema:
        return {
            "type": "object",
            "propertyNames": {"enum": list(self.names.names)},
            "additionalProperties": in_clear_or_encrypted(self.kind.schema()),
        }


@dataclass(frozen=True, slots=True)
class Labels:
    """A mapping of label names to values."""

    valid_key: Callable[[str], bool]
    valid_value: Callable[[str], bool]
    type: ClassVar[str] = "mapping of texts"
    allowed: ClassVar[str] = "labels with their values, both texts"

    def read(self, value: Any, place: Place) -> Mapping[str, str] | None:
        if isinstance(value, Mapping) and all(
            isinstance(name, str) and self.valid_key(name) and isinstance(entry, str) and self.valid_value(entry)
            for name, entry in value.items()
        ):
            return MappingProxyType(dict(value)) or None
        place.mistake(f"is {value!r}", self.allowed)
        return None

    def schema(self) -> JsonSchema:
        return {"type": "object", "additionalProperties": in_clear_or_encrypted({"type": "string"})}


@dataclass(frozen=True, slots=True)
class TextOrMapping:
    """A text or a mapping, not empty, whose content is checked elsewhere."""

    allowed: str
    type: ClassVar[str] = "text or mapping"

    def read(self, value: Any, place: Place) -> str | Mapping[str, Any] | None:
        if isinstance(value, str | Mapping) and value:
            return value
        place.mistake(f"is {value!r}", self.allowed)
        return None

    def schema(self) -> JsonSchema:
        return {"anyOf": [{"type": "string", "minLength": 1}, {"type": "object", "minProperties": 1}]}


@dataclass(frozen=True, slots=True)
class Items:
    """A list whose entries are checked elsewhere."""

    allowed: str = "a list"
    type: ClassVar[str] = "list"

    def read(self, value: Any, place: Place) -> list[Any] | None:
        if isinstance(value, list):
            return value or None
        place.mistake(f"is {value!r}", self.allowed)
        return None

    def schema(self) -> JsonSchema:
        return {"type": "array"}
