"""A process's argument list as its flags: ``--name=value``, ``--name value``, and ``--name`` alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditlog.manifest.audit_flags import is_boolean


@dataclass(frozen=True, slots=True)
class Argument:
    """One flag where it stands: the item of the name, the item of the value (the same when joined, or without one)."""

    name: str
    value: str | None
    name_index: int
    value_index: int


def read_arguments(items: Sequence[str]) -> tuple[Argument, ...]:
    """Every flag of the list, in its order.

    An underscore in a name counts as a dash, as the API server's own parser has it (k8s.io/component-base cli/flag
    WordSepNormalizeFunc). A boolean audit flag never takes the next item for its value.
    """
    found: list[Argument] = []
    for index, item in enumerate(items):
        if not item.startswith("--"):
            continue
        written, joined, value = item[2:].partition("=")
        name = written.replace("_", "-")
        following = items[index + 1] if index + 1 < len(items) else "--"
        if joined:
            found.append(Argument(name, value, index, index))
        elif following.startswith("--") or is_boolean(name):
            found.append(Argument(name, None, index, index))
        else:
            found.append(Argument(name, following, index, index + 1))
    return tuple(found)
