"""Reads entries of the catalogue: the files of ``annotations/``, and files that you add."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from auditlog.annotations.model import LONGEST_VALUE, MOST_ANNOTATIONS, SENTINEL, Annotation, Entry, Operation, Requests
from auditlog.errors import UNREADABLE_YAML, AuditlogError
from auditlog.project_files import project_folder

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}")
_RESOURCE = re.compile(r"[a-z0-9*]+(/[a-z0-9*]+)?")
_CEL_WORDS = re.compile(
    "true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|while"
)
"""Words that are no names in CEL (https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax)."""
_KEYS = ("about", "requests", "variables", "annotations")
_REQUEST_KEYS = ("group", "resources", "operations")


UNREADABLE = (YAMLError, *UNREADABLE_YAML)
"""What the YAML library raises for a text that it cannot read."""


class AnnotationError(AuditlogError):
    """A file is no valid entry. The message names file, key, value and what is allowed."""


def catalogue_names() -> tuple[str, ...]:
    """The names of the entries that come with the project."""
    return tuple(file.stem for file in _catalogue_files())


def catalogue() -> tuple[Entry, ...]:
    """The entries that come with the project, by name."""
    return tuple(read_entry(file) for file in _catalogue_files())


def selected_entries(leave_out: Sequence[str], files: Sequence[str], project: Path = Path()) -> tuple[Entry, ...]:
    """The catalogue without ``leave_out``, and the entries of ``files``, whose paths are relative to ``project``.

    Raises AnnotationError, also if two entries have the same name.
    """
    found = {entry.name: entry for entry in catalogue() if entry.name not in leave_out}
    for file in files:
        entry = read_entry(project / file)
        if entry.name in found:
            raise AnnotationError(f'{file}: there is an entry "{entry.name}" already; allowed: a file of another name')
        found[entry.name] = entry
    return tuple(found.values())


def _catalogue_files() -> Sequence[Path]:
    return sorted(project_folder("annotations").glob("*.yaml"))


def read_entry(file: Path) -> Entry:
    """The entry of a file, with the file's name. Raises AnnotationError."""
    try:
        # Unlike PyYAML it refuses a key that is given twice, of which one would be lost.
        document = YAML(typ="safe").load(file.read_text())
    except OSError as error:
        raise AnnotationError(f"{file}: cannot be read: {error.strerror}") from error
    except UNREADABLE as error:
        raise AnnotationError(f"{file}: is no YAML: {' '.join(str(error).split())}") from error
    return _entry(file.stem, document, str(file))


def _entry(name: str, document: Any, where: str) -> Entry:
    if not _NAME.fullmatch(name):
        raise AnnotationError(f'{where}: the name is "{name}"; allowed: up to 40 lower-case letters, digits and dashes')
    given = _mapping(document, where, _KEYS)
    annotations = _mapping(given.get("annotations"), f"{where}: annotations")
    if not 0 < len(annotations) < MOST_ANNOTATIONS:
        raise AnnotationError(
            f"{where}: annotations: there are {len(annotations)}; allowed: 1 to {MOST_ANNOTATIONS - 1}"
        )
    return Entry(
        name,
        _text(given.get("about"), f"{where}: about"),
        tuple(_requests(each, f"{where}: requests[{at}]") for at, each in enumerate(_list(given, "requests", where))),
        {
            _variable(key, f"{where}: variables"): _expression(value, f"{where}: variables.{key}")
            for key, value in _mapping(given.get("variables", {}), f"{where}: variables").items()
        },
        tuple(_annotation(key, value, f"{where}: annotations") for key, value in annotations.items()),
        where,
    )


def _requests(given: Any, where: str) -> Requests:
    found = _mapping(given, where, _REQUEST_KEYS)
    group = found.get("group")
    if not isinstance(group, str):
        raise AnnotationError(f'{where}.group: is {group!r}; allowed: the name of an API group, "" for the core')
    resources = tuple(str(each) for each in _list(found, "resources", where))
    for each in resources:
        if not _RESOURCE.fullmatch(each):
            raise AnnotationError(f'{where}.resources: "{each}"; allowed: a resource, or RESOURCE/SUBRESOURCE')
    known = [each.value for each in Operation]
    operations = [str(each) for each in _list(found, "operations", where)]
    for each in operations:
        if each not in known:
            raise AnnotationError(f'{where}.operations: "{each}"; allowed: {", ".join(known)}')
    return Requests(group, resources, tuple(Operation(each) for each in operations))


def _annotation(key: Any, given: Any, where: str) -> Annotation:
    name = _identifier(key, where)
    if name == SENTINEL:
        raise AnnotationError(f'{where}: "{name}" is added to every entry; allowed: another name')
    found = _mapping(given, f"{where}.{name}", ("about", "value"))
    return Annotation(
        name,
        _text(found.get("about"), f"{where}.{name}.about"),
        _expression(found.get("value"), f"{where}.{name}.value"),
    )


def _identifier(key: Any, where: str) -> str:
    if not isinstance(key, str) or not _IDENTIFIER.fullmatch(key):
        raise AnnotationError(f'{where}: "{key}"; allowed: a letter, then letters and digits')
    return key


def _variable(key: Any, where: str) -> str:
    name = _identifier(key, where)
    if _CEL_WORDS.fullmatch(name):
        raise AnnotationError(f'{where}: "{name}" is a word of CEL; allowed: another name')
    return name


def _expression(value: Any, where: str) -> str:
    text = _text(value, where)
    size = len(text.encode())
    if size > LONGEST_VALUE:
        raise AnnotationError(f"{where}: has {size} bytes; allowed: up to {LONGEST_VALUE}")
    return text


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise AnnotationError(f"{where}: is {value!r}; allowed: a text that is not empty")
    return value.strip()


def _list(given: Mapping[str, Any], key: str, where: str) -> Sequence[Any]:
    value = given.get(key)
    if not isinstance(value, list) or not value:
        raise AnnotationError(f"{where}.{key}: is {value!r}; allowed: a list that is not empty")
    return value


def _mapping(value: Any, where: str, allowed: Sequence[str] = ()) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise AnnotationError(f"{where}: is {value!r}; allowed: keys with their values")
    for key in value:
        if allowed and key not in allowed:
            raise AnnotationError(f'{where}: "{key}" is no key of it; allowed: {", ".join(allowed)}')
    return value
