"""What only a stack file can show, for a program that has its configuration from the engine.

The engine hands over values. Only the file shows a key that is given twice, or outside of ``config``. The engine does
not name the file (``--config-file``). So the file of the stack's name counts only if it holds what the engine handed
over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auditlog.settings.setting import Encrypted
from auditlog.stack_file.namespaces import TWICE, own_keys
from auditlog.stack_file.read import StackFile, StackFileError, read_stack_file


def file_of_run(path: Path, project: str, given: Mapping[str, str]) -> StackFile | None:
    """The stack file at ``path`` of a project with this name, if it is the file of this run.

    ``given`` is the whole configuration as the engine hands it over, by keys in full. None where the file is not there,
    cannot be read, or says something else.
    """
    try:
        file = read_stack_file(path, project)
    except StackFileError:
        return None
    return file if _says(file, project, given) else None


def _says(file: StackFile, project: str, given: Mapping[str, str]) -> bool:
    written = own_keys(given, project).written
    ambiguous = {mistake.key.rpartition(":")[2] for mistake in file.mistakes if mistake.what.startswith(TWICE)}
    values = {key: value for key, value in file.values.items() if key not in ambiguous}
    return file.others <= given.keys() and all(
        key in written and _is_the_same(value, given[written[key]]) for key, value in values.items()
    )


def _is_the_same(value: Any, given: str) -> bool:
    """Whether the engine hands over this value as ``given``; of what is encrypted, nothing can be compared."""
    if isinstance(value, Encrypted):
        return True
    if isinstance(value, str):
        return value == given
    try:
        return _matches(value, json.loads(given))
    except json.JSONDecodeError:
        return False


def _matches(value: Any, given: Any) -> bool:
    if isinstance(value, Encrypted):
        return True
    if isinstance(value, Mapping) and isinstance(given, Mapping):
        return value.keys() == given.keys() and all(_matches(entry, given[key]) for key, entry in value.items())
    if isinstance(value, list) and isinstance(given, list):
        return len(value) == len(given) and all(map(_matches, value, given))
    return bool(value == given)
