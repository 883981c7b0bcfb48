"""Settings classes whose fields say which settings they hold: what may be written, and how it is read, follow.

A setting is declared by its constant and its field: ``path: Annotated[str, PATH]``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, TypeVar, get_type_hints

from auditlog.settings.reader import Group, Reader
from auditlog.settings.setting import Setting

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Beside:
    """Marks a field whose settings are beside the others, in no separate mapping."""

    record: type[Any]


def group_of(record: type[Any]) -> Group:
    """The mapping that holds the settings of this class, in the order of its fields."""
    return Group(tuple(_settings(record)))


def filled(
    record: type[T],
    reader: Reader,
    made: Mapping[str, Any] = MappingProxyType({}),
    **converted: Callable[[Any], Any],
) -> T:
    """The class, with each field read by its setting.

    ``converted`` has what is done with the value of some fields; ``made`` has the values of fields that are not read
    here.
    """
    values = dict(made)
    for name, note in _notes(record):
        if name in values:
            continue
        value = filled(note.record, reader) if isinstance(note, Beside) else reader.read(note)
        values[name] = converted[name](value) if name in converted else value
    return record(**values)


def _settings(record: type[Any]) -> Iterator[Setting[Any]]:
    for _, note in _notes(record):
        if isinstance(note, Beside):
            yield from _settings(note.record)
        else:
            yield note


def _notes(record: type[Any]) -> Iterator[tuple[str, Setting[Any] | Beside]]:
    hints = get_type_hints(record, include_extras=True)
    for field in fields(record):
        for note in getattr(hints[field.name], "__metadata__", ()):
            if isinstance(note, Setting | Beside):
                yield field.name, note
