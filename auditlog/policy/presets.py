"""The audit policies that come with the project: the files of `policies/`, each named for what it does."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from auditlog.errors import AuditlogError
from auditlog.project_files import project_folder

_FOLDER = project_folder("policies")
# A line of a preset that a parameter may replace ends in this mark, and holds a list in flow style.
_PARAMETER_LINE = re.compile(r"^(?P<key>\s*(- )?\w+: )\[.*\](?P<mark>  # parameter: (?P<name>\w+))$", re.MULTILINE)
# It begins with the name of the preset: what a person wrote in front of it is no header of ours.
_HEADER = re.compile(r"\A# [a-z-]+: .*\n(?:#.*\n)*")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_NAMESPACE_MAX_LENGTH = 63


class PresetError(AuditlogError):
    """A preset that does not exist, or a parameter it does not take."""


def preset_names() -> tuple[str, ...]:
    """The names of all presets, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def preset_parameters(name: str) -> tuple[str, ...]:
    """The names of the parameters `preset_text` takes for this preset, sorted. Raises PresetError."""
    return tuple(sorted({match["name"] for match in _PARAMETER_LINE.finditer(_file_text(name))}))


def preset_text(name: str, **parameters: Sequence[str]) -> str:
    """The policy text of a preset, comments included.

    `secrets-in-namespaces` takes `namespaces`, a list of namespace names; every other preset takes no
    parameter. Raises PresetError for an unknown name, an unknown parameter or a value that is not a list of
    namespace names.
    """
    text = _file_text(name)
    known = preset_parameters(name)
    for parameter, values in parameters.items():
        if parameter not in known:
            allowed = ", ".join(known) if known else "none"
            raise PresetError(f'preset "{name}" takes no parameter "{parameter}"; allowed: {allowed}')
        _check_namespaces(name, parameter, values)

    def replaced(match: re.Match[str]) -> str:
        if match["name"] not in parameters:
            return match[0]
        # Quoted, because a namespace may be called "on" or "123", which YAML would not read as a string.
        values = ", ".join(f'"{value}"' for value in parameters[match["name"]])
        return f"{match['key']}[{values}]{match['mark']}"

    return _PARAMETER_LINE.sub(replaced, text)


def without_header(text: str) -> str:
    """A policy text without the header of a preset.

    Versions of this program word the headers differently. Another header alone does not rewrite a policy, which would
    restart every API server.
    """
    return _HEADER.sub("", text)


def _file_text(name: str) -> str:
    names = preset_names()
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f', did you mean "{close[0]}"' if close else ""
        raise PresetError(f'"{name}" is not a preset{hint}; allowed: {", ".join(names)}')
    return (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def _check_namespaces(preset: str, parameter: str, values: Sequence[str]) -> None:
    if isinstance(values, str) or not values:
        raise PresetError(f'preset "{preset}", parameter "{parameter}": must be a list with at least one namespace')
    for value in values:
        if len(value) > _NAMESPACE_MAX_LENGTH or not _NAMESPACE.fullmatch(value):
            raise PresetError(
                f'preset "{preset}", parameter "{parameter}": "{value}" is not a namespace name '
                "(lower-case letters, digits and -; a policy knows no wildcard here)"
            )
