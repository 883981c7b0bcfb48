"""Shared settings for the program, which has its own from the engine together with the defaults of Pulumi.yaml.

The engine does not say which values a stack sets itself. The stack file does, where it is the file of this run
(``auditlog.stack_file.own_file``). Otherwise a value that is the default of Pulumi.yaml counts as not set, unless a
shared file asks for another one: then nobody can tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auditlog.settings.fleet import FLEET
from auditlog.settings.mistake import Mistake
from auditlog.settings.project_file import project_defaults
from auditlog.stack_file.fleet import compose, layers_of
from auditlog.stack_file.read import StackFile


def with_shared(
    given: Mapping[str, Any], file: StackFile | None, folder: Path, project: str
) -> tuple[Mapping[str, Any], tuple[Mistake, ...]]:
    """The values that the engine hands over, with the shared ones below them, and what is wrong with those.

    ``given`` is by keys without namespace, decoded. ``file`` is the stack file of this run, if it is known.
    """
    layers, mistakes = layers_of(given[FLEET.key], folder, project)
    defaults = project_defaults()
    is_default = {
        key for key, value in given.items() if key in defaults and value in (defaults[key], _text(defaults[key]))
    }
    unset = is_default - (file.values.keys() if file else set())
    values = compose(layers, {key: value for key, value in given.items() if key not in unset})
    if file is None:
        # A mapping's default is empty, and so is what it adds to a shared one.
        asked = [key for key in sorted(unset & values.keys()) if not isinstance(defaults[key], dict)]
        mistakes += tuple(
            Mistake(
                key,
                f"is {values[key]!r} in a shared file, and whether the stack file sets {given[key]!r} cannot be known",
                "a stack file called Pulumi.STACK.yaml beside Pulumi.yaml, without --config-file",
            )
            for key in asked
            if values[key] not in (defaults[key], _text(defaults[key]))
        )
    return {**{key: given[key] for key in unset if key not in values}, **values}, mistakes


def _text(default: Any) -> Any:
    """A default as it arrives where the engine hands over texts."""
    return str(default).lower() if isinstance(default, bool) else str(default) if isinstance(default, int) else default
