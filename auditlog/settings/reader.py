"""Reads one mapping of the configuration key by key; each mistake is kept with its key, value and what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from auditlog.settings.duration import is_duration


class SettingsError(ValueError):
    """The configuration is wrong. ``problems`` holds one message for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def is_absolute(value: str) -> bool:
    """Whether this is a plain absolute path below a folder of the root, without ".." and unprintable characters."""
    path = PurePosixPath(value)
    return (
        value.startswith("/")
        and ".." not in path.parts
        and str(path) == value
        and len(path.parts) > 2
        and value.isprintable()
    )


def is_header_value(value: str) -> bool:
    """Whether this can stand in an HTTP header as one word: printable ASCII without spaces."""
    return bool(value) and value.isascii() and value.isprintable() and " " not in value


def plain_url(value: str) -> SplitResult | None:
    """The parts of an http:// or https:// URL with a host, and without user, password and fragment; None for others."""
    try:
        parts = urlsplit(value)
        has_port = parts.port != 0
    except ValueError:
        return None
    plain = not (parts.username or parts.password or parts.fragment)
    return parts if parts.scheme in ("https", "http") and parts.hostname and has_port and plain else None


Choice = TypeVar("Choice", bound=StrEnum)


class Reader:
    """One mapping of the configuration, read key by key; problems name the key in full."""

    def __init__(self, values: Mapping[str, Any], prefix: str, problems: list[str]) -> None:
        self._values, self._prefix, self._problems = values, prefix, problems

    def has(self, key: str) -> bool:
        return self._values.get(key) is not None

    def problem(self, key: str, what: str, allowed: str) -> None:
        self._problems.append(f"{self._prefix}{key}: {what}; allowed: {allowed}")

    def allow_only(self, *keys: str) -> None:
        for key in self._values:
            if key not in keys:
                self.problem(key, "is not a key of the configuration", ", ".join(keys))

    def text(self, key: str, valid: Callable[[str], bool], allowed: str, *, required: bool = False) -> str | None:
        value = self._values.get(key)
        if value is None:
            if required:
                self.problem(key, "is missing", allowed)
            return None
        if not isinstance(value, str) or not valid(value):
            self.problem(key, f"is {value!r}", allowed)
            return None
        return value

    def integer(self, key: str, low: int, high: int, default: int) -> int:
        value = self._values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.problem(key, f"is {value!r}", f"a whole number from {low} to {high}")
            return default
        return value

    def optional_integer(self, key: str, low: int, high: int) -> int | None:
        return self.integer(key, low, high, low) if self.has(key) else None

    def positive_number(self, key: str) -> float | None:
        value = self._values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            self.problem(key, f"is {value!r}", "a number above 0")
            return None
        return float(value)

    def duration(self, key: str) -> str | None:
        return self.text(key, is_duration, "a duration as in '500ms', '5s' or '1m30s'")

    def secret(self, key: str, valid: Callable[[str], bool], allowed: str) -> str | None:
        """A text that no message repeats."""
        value = self._values.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not valid(value):
            self.problem(key, "is something else", allowed)
            return None
        return value

    def boolean_or_object(self, key: str) -> bool | Reader | None:
        """``true``, ``false`` or a mapping; an empty mapping is a mapping."""
        value = self._values.get(key)
        if value is None or isinstance(value, bool):
            return value
        if not isinstance(value, Mapping):
            self.problem(key, f"is {value!r}", "true, false or a mapping of keys")
            return None
        return Reader(value, f"{self._prefix}{key}.", self._problems)

    def object(self, key: str) -> Reader | None:
        value = self._values.get(key)
        if value is None or value == {}:
            return None
        if not isinstance(value, Mapping):
            self.problem(key, f"is {value!r}", "a mapping of keys")
            return None
        return Reader(value, f"{self._prefix}{key}.", self._problems)

    def mapping(self, key: str) -> Mapping[str, Any]:
        """A mapping with keys of the user's own; empty when it is not given."""
        value = self._values.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.problem(key, f"is {value!r}", "a mapping")
            return {}
        return value

    def text_or_mapping(self, key: str, allowed: str) -> str | Mapping[str, Any] | None:
        value = self._values.get(key)
        if value is None or (isinstance(value, str | Mapping) and value):
            return value
        self.problem(key, f"is {value!r}", allowed)
        return None

    def objects(self, key: str, *, required: bool = True) -> list[Reader]:
        value = self._values.get(key)
        if value is None and not required:
            return []
        if not isinstance(value, list) or (required and not value):
            allowed = "a list with at least one entry" if required else "a list"
            self.problem(key, "is missing" if value is None else f"is {value!r}", allowed)
            return []
        readers = []
        for index, item in enumerate(value):
            if isinstance(item, Mapping):
                readers.append(Reader(item, f"{self._prefix}{key}[{index}].", self._problems))
            else:
                self.problem(f"{key}[{index}]", f"is {item!r}", "a mapping of keys")
        return readers

    def raw(self, key: str) -> list[Any] | None:
        value = self._values.get(key)
        if value is None or isinstance(value, list):
            return value or None
        self.problem(key, f"is {value!r}", "a list")
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.problem(key, f"is {value!r}", "a list of texts")
            return ()
        return tuple(value)

    def labels(
        self, key: str, valid_key: Callable[[str], bool], valid_value: Callable[[str], bool]
    ) -> Mapping[str, str] | None:
        """A mapping of label names to values; None when there is none."""
        values = self._values.get(key)
        if values is None:
            return None
        if not isinstance(values, Mapping) or not all(
            isinstance(name, str) and valid_key(name) and isinstance(value, str) and valid_value(value)
            for name, value in values.items()
        ):
            self.problem(key, f"is {values!r}", "labels with their values, both texts")
            return None
        return MappingProxyType(dict(values)) or None

    def choice(self, key: str, choices: type[Choice]) -> Choice | None:
        value = self._values.get(key)
        if value is None or value not in list(choices):
            what = "is missing" if value is None else f"is {value!r}"
            self.problem(key, what, "one of " + ", ".join(choices))
            return None
        return choices(value)

    def optional_choice(self, key: str, choices: type[Choice]) -> Choice | None:
        return self.choice(key, choices) if self.has(key) else None

    def choices(self, key: str, choices: type[Choice]) -> tuple[Choice, ...] | None:
        if not self.has(key):
            return None
        values = self.texts(key)
        for value in values:
            if value not in list(choices):
                self.problem(key, f"has {value!r}", "of " + ", ".join(choices))
        return tuple(choices(value) for value in values if value in list(choices))

    def switch(self, key: str, *, default: bool) -> bool:
        """A value that is on or off. YAML 1.1 reads the bare words as true and false, 1.2 as the texts they are."""
        value = self._values.get(key, default)
        if value in (True, "on", "true"):
            return True
        if value in (False, "off", "false"):
            return False
        self.problem(key, f"is {value!r}", "on or off")
        return default

    def boolean(self, key: str) -> bool | None:
        value = self._values.get(key)
        if value is None or isinstance(value, bool):
            return value
        self.problem(key, f"is {value!r}", "true or false")
        return None
