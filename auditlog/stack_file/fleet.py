"""Settings that stacks share: how ``fleet/defaults.yaml``, the groups' files and a stack file become one configuration.

The rules, from low to high: the defaults, the groups in the order in which the stack file names them, the stack file.
A mapping is merged key by key; everything else is replaced as a whole. A key without a value unsets what is below.
Naming another source of the policy drops the source below, with its parameters. No shared file holds what is one
stack's alone, or a secret: each stack encrypts with its own salt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from auditlog.settings.fleet import DEFAULTS, FLEET
from auditlog.settings.mistake import Mistake, Place
from auditlog.settings.setting import Encrypted
from auditlog.stack_file.configuration import SECRET_STEPS, holds_keys
from auditlog.stack_file.read import StackFile, StackFileError, read_stack_file

FOLDER = "fleet"
OF_ONE_STACK = ("cluster", "nodes", "takeOver", FLEET.key)
"""What a shared file may not set."""

_SOURCES = ("preset", "file", "inline", "base64")


@dataclass(frozen=True, slots=True)
class Layer:
    """A shared file, by its path below the project's folder."""

    name: str
    file: StackFile


def uses_fleet(values: Mapping[str, Any]) -> bool:
    """Whether a configuration shares settings with others."""
    return FLEET.key in values


def composed(file: StackFile, folder: Path, project: str) -> StackFile:
    """The stack file with what it shares. ``folder`` is the project's. Raises StackFileError with the first error."""
    if not uses_fleet(file.values):
        return file
    layers, mistakes = layers_of(file.values[FLEET.key], folder, project)
    if mistakes:
        raise StackFileError(f"{mistakes[0]}; `config check` says more")
    return replace(file, values=compose(layers, file.values))


def layers_of(groups: Any, folder: Path, project: str) -> tuple[tuple[Layer, ...], tuple[Mistake, ...]]:
    """The shared files of a stack whose key ``fleet`` has this value, lowest first, and what is wrong with them."""
    mistakes: list[Mistake] = []
    names = FLEET.kind.read(groups, Place(FLEET.key, mistakes)) or ()
    layers = []
    for number, name in enumerate((DEFAULTS, *names)):
        path = f"{FOLDER}/{name}.yaml"
        key = FLEET.key if number == 0 else f"{FLEET.key}[{number - 1}]"
        if not (folder / path).is_file():
            # A fleet may have groups alone.
            if number:
                mistakes.append(Mistake(key, f"{name!r} has no file {path}", f"a group of {_groups(folder)}"))
            continue
        try:
            layer = Layer(path, read_stack_file(folder / path, project))
        except StackFileError as error:
            mistakes.append(Mistake(key, str(error), "a file of settings under config"))
            continue
        mistakes += [Mistake(f"{path}: {each.key}", each.what, each.allowed) for each in layer_mistakes(layer.file)]
        layers.append(layer)
    return tuple(layers), tuple(mistakes)


def layer_mistakes(file: StackFile) -> tuple[Mistake, ...]:
    """What is wrong with a shared file as such: its form, what belongs to one stack, and secrets."""
    found = list(file.mistakes)
    found += [
        Mistake(key, "is in a shared file", "in the stack file: it is one stack's alone")
        for key in OF_ONE_STACK
        if key in file.values
    ]
    found += [
        Mistake(key, "is in a shared file", "in the stack file, encrypted: each stack has its own salt")
        for key in _secrets(file.values)
    ]
    return tuple(found)


def compose(layers: Sequence[Layer], own: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values of all layers, lowest first, and the stack's own."""
    merged: Mapping[str, Any] = {}
    for values in (*(layer.file.values for layer in layers), own):
        merged = _merged(merged, values, top=True)
    return {key: value for key, value in merged.items() if key != FLEET.key}


def _merged(below: Mapping[str, Any], above: Mapping[str, Any], *, top: bool = False) -> dict[str, Any]:
    found = dict(below)
    for key, value in above.items():
        # At the top an empty value is an empty text.
        if value is None or (top and value == "" and holds_keys(key)):
            found.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(found.get(key), Mapping):
            lower = _without_source(found[key], value) if top and key == "policy" else found[key]
            found[key] = _merged(lower, value)
        else:
            found[key] = value
    return found


def _without_source(below: Mapping[str, Any], above: Mapping[str, Any]) -> Mapping[str, Any]:
    if not any(source in above for source in _SOURCES) or above.get("preset", 0) == below.get("preset"):
        return below
    return {key: value for key, value in below.items() if key not in (*_SOURCES, "parameters")}


def _secrets(values: Mapping[str, Any]) -> Iterator[str]:
    """Every key that must be secret, and every value that is encrypted."""
    for steps in SECRET_STEPS:
        found: Any = values
        for step in steps:
            found = found.get(step) if isinstance(found, Mapping) else None
        if found and not isinstance(found, Encrypted):
            yield ".".join(steps)
    yield from encrypted_keys(values)


def encrypted_keys(values: Mapping[str, Any]) -> Iterator[str]:
    """The keys in full of values that are kept encrypted."""
    return _encrypted(values, "")


def _encrypted(value: Any, key: str) -> Iterator[str]:
    if isinstance(value, Encrypted):
        yield key
    elif isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _encrypted(entry, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _encrypted(entry, f"{key}[{index}]")


def _groups(folder: Path) -> str:
    found = sorted(path.stem for path in (folder / FOLDER).glob("*.yaml") if path.stem != DEFAULTS)
    return ", ".join(found) or f"those with a file in {FOLDER}/"
