"""Reads one mapping of the configuration by the settings that are declared for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from auditlog.settings.hint import did_you_mean
from auditlog.settings.kinds import Text
from auditlog.settings.mistake import Place
from auditlog.settings.setting import ENCRYPTED, Encrypted, JsonSchema, Setting, in_clear_or_encrypted, plain

T = TypeVar("T")


class Reader:
    """One mapping of the configuration, of which each setting is asked for once."""

    def __init__(self, values: Mapping[str, Any], place: Place) -> None:
        self._values, self._place = values, place

    def has(self, setting: Setting[Any]) -> bool:
        return self._values.get(setting.key) is not None

    def is_encrypted(self, setting: Setting[Any]) -> bool:
        """Whether the whole value is encrypted, so that nothing is known of it but that it is there."""
        return isinstance(self._values.get(setting.key), Encrypted)

    def problem(self, setting: Setting[Any], what: str, allowed: str, *, below: str = "") -> None:
        """Keeps an error at this setting, or at the part of its value that ``below`` names, as ``[0].level``."""
        self._place.at(setting.key + below).mistake(what, allowed)

    def read(self, setting: Setting[T]) -> T:
        """The value, or the setting's default where it is missing, wrong, or cannot be known."""
        value = self._values.get(setting.key)
        place = self._place.at(setting.key)
        if value is None:
            if setting.required:
                place.mistake("is missing", setting.kind.allowed)
            return setting.default
        if isinstance(value, Encrypted) and not isinstance(setting.kind, Text):
            return setting.default
        found: Any = value if isinstance(value, Encrypted) else setting.kind.read(value, place)
        return setting.default if found is None else found


@dataclass(frozen=True, slots=True)
class Group:
    """A mapping with these settings and no others; the empty one is the same as none."""

    settings: tuple[Setting[Any], ...]
    type: ClassVar[str] = "mapping"
    allowed: ClassVar[str] = "a mapping of keys"

    def read(self, value: Any, place: Place) -> Reader | None:
        if not isinstance(value, Mapping):
            place.mistake(f"is {value!r}", self.allowed)
            return None
        return self.reader(value, place) if value else None

    def reader(self, values: Mapping[str, Any], place: Place) -> Reader:
        """The reader of a mapping that may be empty; keys that are not declared are errors."""
        keys = [setting.key for setting in self.settings]
        for key in values:
            if key not in keys:
                hint = did_you_mean(key, keys)
                place.at(str(key)).mistake(f"is not a key of the configuration{hint}", ", ".join(keys) or "none")
        return Reader(values, place)

    def schema(self) -> JsonSchema:
        # The empty mapping is the same as none, so nothing is missing in it.
        full = self.entry_schema()
        return {"anyOf": [{"type": "object", "maxProperties": 0}, full]} if "required" in full else full

    def entry_schema(self) -> JsonSchema:
        """As an entry of a list, where an empty mapping lacks what is required."""
        needed = [setting.key for setting in self.settings if setting.required]
        return {
            "type": "object",
            "properties": {setting.key: setting_schema(setting, {"type": "null"}) for setting in self.settings},
            "additionalProperties": False,
            **({"required": needed} if needed else {}),
        }


@dataclass(frozen=True, slots=True)
class Groups:
    """A list of mappings with the same settings."""

    group: Group
    at_least_one: bool = False
    type: ClassVar[str] = "list of mappings"

    @property
    def allowed(self) -> str:
        return "a list with at least one entry" if self.at_least_one else "a list"

    def read(self, value: Any, place: Place) -> tuple[Reader, ...] | None:
        if not isinstance(value, list) or (self.at_least_one and not value):
            place.mistake(f"is {value!r}", self.allowed)
            return None
        readers = []
        for index, item in enumerate(value):
            if isinstance(item, Encrypted):
                continue
            if isinstance(item, Mapping):
                readers.append(self.group.reader(item, place.item(index)))
            else:
                place.item(index).mistake(f"is {item!r}", self.group.allowed)
        return tuple(readers)

    def schema(self) -> JsonSchema:
        return {
            "type": "array",
            "items": in_clear_or_encrypted(self.group.entry_schema()),
            "minItems": int(self.at_least_one),
        }


@dataclass(frozen=True, slots=True)
class FlagOrGroup:
    """``true``, ``false`` or a mapping; an empty mapping is a mapping."""

    group: Group
    type: ClassVar[str] = "true, false or mapping"
    allowed: ClassVar[str] = "true, false or a mapping of keys"

    def read(self, value: Any, place: Place) -> bool | Reader | None:
        if isinstance(value, bool):
            return value
        if isinstance(value, Mapping):
            return self.group.reader(value, place)
        place.mistake(f"is {value!r}", self.allowed)
        return None

    def schema(self) -> JsonSchema:
        return {"anyOf": [{"type": "boolean"}, self.group.schema()]}


def setting_schema(setting: Setting[Any], *more: JsonSchema) -> JsonSchema:
    """JSON Schema of one setting, in plain text or encrypted; a secret must be encrypted.

    ``more`` are further forms in which the value may be written.
    """
    in_clear = () if setting.secret else (setting.kind.schema(),)
    shape: JsonSchema = {"anyOf": [*in_clear, *more, ENCRYPTED]}
    default = plain(setting.default)
    return {"description": setting.about, **({} if default is None else {"default": default}), **shape}
