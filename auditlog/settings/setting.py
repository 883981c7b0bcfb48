"""What one setting is. Parser, JSON Schema and reference are all made from the same declarations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from auditlog.settings.mistake import Place

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
JsonSchema = dict[str, Any]


class Kind(Protocol[T_co]):
    """What a setting may hold."""

    @property
    def type(self) -> str:
        """The sort of value, for people."""

    @property
    def allowed(self) -> str:
        """What is allowed, for messages and the reference."""

    def read(self, value: Any, place: Place) -> T_co | None:
        """The value as the program uses it; None after an error, which is kept at ``place``."""

    def schema(self) -> JsonSchema:
        """JSON Schema of every value that ``read`` takes; it may allow more where a schema cannot say the rule."""


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One key of the configuration.

    ``default`` is what the program takes without it, ``otherwise`` says so where the value itself does not. A
    ``secret`` must be kept encrypted.
    """

    key: str
    kind: Kind[Any]
    about: str
    default: T
    otherwise: str = ""
    required: bool = False
    secret: bool = False


def optional(key: str, kind: Kind[T], about: str, *, otherwise: str = "", secret: bool = False) -> Setting[T | None]:
    """A setting without which the program gets None."""
    return Setting(key, kind, about, None, otherwise, secret=secret)


def required(key: str, kind: Kind[T], about: str) -> Setting[T | None]:
    """A required setting. If it is missing, that is an error, and the program gets None."""
    return Setting(key, kind, about, None, required=True)


def defaulted(key: str, kind: Kind[T], default: T, about: str, *, otherwise: str = "") -> Setting[T]:
    """A setting with a default of the stack's own."""
    return Setting(key, kind, about, default, otherwise)


def in_clear_or_encrypted(schema: JsonSchema) -> JsonSchema:
    """JSON Schema of a value that a stack file may hold encrypted too."""
    return {"anyOf": [schema, ENCRYPTED]}


ENCRYPTED: JsonSchema = {"$ref": "#/$defs/encrypted"}


def plain(value: Any) -> Any:
    """A default as a stack file would hold it."""
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Mapping):
        return {key: plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, tuple) else value


class Encrypted(str):
    """A value that the stack file holds encrypted: it is there, and what it says cannot be checked."""

    __slots__ = ()
