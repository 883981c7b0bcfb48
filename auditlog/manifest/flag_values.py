"""When two ways of writing a flag's value mean the same.

How values are read: github.com/spf13/pflag, which takes booleans by strconv.ParseBool and lets them stand without a
value.
"""

from __future__ import annotations

from enum import Enum, auto

from auditlog.settings.duration import seconds


class Kind(Enum):
    """What a flag's value is."""

    TEXT = auto()
    BOOLEAN = auto()
    INTEGER = auto()
    NUMBER = auto()
    DURATION = auto()


_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


def is_true(value: str) -> bool:
    """Whether the API server takes a boolean flag with this value as true; a flag without a value has ""."""
    return value == "" or value in _TRUE


def read(kind: Kind, value: str | None) -> object:
    """The value as the API server reads it; None for one that it would refuse. A flag without a value has None."""
    if value is None:
        return True if kind is Kind.BOOLEAN else None
    match kind:
        case Kind.TEXT:
            return value
        case Kind.BOOLEAN:
            return value in _TRUE if value in _TRUE | _FALSE else None
        case Kind.DURATION:
            return seconds(value)
        case Kind.INTEGER:
            return int(value) if value.isdecimal() and not (len(value) > 1 and value.startswith("0")) else None
        case Kind.NUMBER:
            return _number(value)


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def written(value: str | float | bool) -> str:
    """As the API server itself prints a flag's value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
