"""kube-apiserver's audit flags: what each holds, and when two ways of writing a value mean the same.

Names and kinds: k8s.io/apiserver pkg/server/options/audit.go, the same from 1.30 to 1.37. How values are read:
github.com/spf13/pflag, which takes booleans by strconv.ParseBool and lets them stand without a value.
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


_BACKEND = {
    "mode": Kind.TEXT,
    "version": Kind.TEXT,
    "batch-buffer-size": Kind.INTEGER,
    "batch-max-size": Kind.INTEGER,
    "batch-max-wait": Kind.DURATION,
    "batch-throttle-enable": Kind.BOOLEAN,
    "batch-throttle-qps": Kind.NUMBER,
    "batch-throttle-burst": Kind.INTEGER,
    "truncate-enabled": Kind.BOOLEAN,
    "truncate-max-batch-size": Kind.INTEGER,
    "truncate-max-event-size": Kind.INTEGER,
}
KINDS = {
    "audit-policy-file": Kind.TEXT,
    "audit-log-path": Kind.TEXT,
    "audit-log-maxage": Kind.INTEGER,
    "audit-log-maxbackup": Kind.INTEGER,
    "audit-log-maxsize": Kind.INTEGER,
    "audit-log-compress": Kind.BOOLEAN,
    "audit-log-format": Kind.TEXT,
    **{f"audit-log-{name}": kind for name, kind in _BACKEND.items()},
    "audit-webhook-config-file": Kind.TEXT,
    "audit-webhook-initial-backoff": Kind.DURATION,
    "audit-webhook-batch-initial-backoff": Kind.DURATION,
    **{f"audit-webhook-{name}": kind for name, kind in _BACKEND.items()},
}
"""Every audit flag by its name without the dashes."""

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


def is_boolean(name: str) -> bool:
    """Whether the flag is an audit flag that may stand without a value, which then is true."""
    return KINDS.get(name) is Kind.BOOLEAN


def is_true(value: str) -> bool:
    """Whether the API server takes a boolean flag with this value as true; a flag without a value has ""."""
    return value == "" or value in _TRUE


def means_the_same(name: str, one: str | None, other: str | None) -> bool:
    """Whether the API server reads both values of ``--name`` alike; None is a flag without a value.

    A value that it would refuse means the same as itself only.
    """
    if one == other:
        return True
    read_one, read_other = _read(name, one), _read(name, other)
    return read_one is not None and read_one == read_other


def _read(name: str, value: str | None) -> object:
    kind = KINDS.get(name, Kind.TEXT)
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
