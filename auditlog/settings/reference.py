"""The reference of every setting and every stack output as Markdown: the text of ``docs/settings.md``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from auditlog.settings.outputs import OUTPUTS
from auditlog.settings.parse import SECRETS, STACK
from auditlog.settings.reader import FlagOrGroup, Group, Groups
from auditlog.settings.setting import Setting, plain

_INTRODUCTION = """\
# Settings and outputs

Made by `auditlog config reference`; `make lint` fails when it is not what the program reads by. Settings
stand in `Pulumi.<env>.yaml` under `config:`, with `kubernetes-audit:` before the first part of their name.
`auditlog config check` answers every mistake in them, and editors know them by
[settings.schema.json](settings.schema.json).

A secret has to be kept encrypted. "Required" within a mapping means: where the mapping is given.
"""
_SECRETS_HEADING = """
## Secrets

They open the nodes and the cluster and stay with the program: `pulumi config set --secret KEY <FILE`.
"""
_OUTPUTS_HEADING = """
## Stack outputs

`pulumi stack output NAME`, or from another stack through a StackReference to this one.

| output | what it is |
|---|---|
"""
_TABLE = "\n| setting | type | without it | allowed | what for |\n|---|---|---|---|---|\n"


def reference_text() -> str:
    """The whole reference."""
    single = [setting for setting in STACK.settings if _group(setting) is None]
    parts = [_INTRODUCTION, "\n## At the top\n", _table(_row("", setting) for setting in single)]
    for setting in STACK.settings:
        group = _group(setting)
        if group is not None:
            parts += [f"\n## {setting.key}\n", f"\n{setting.about}{_otherwise(setting)}\n"]
            parts.append(_table(_rows(_below(setting, setting.key), group)))
    parts += [_SECRETS_HEADING, _table(_row("", setting) for setting in SECRETS), _OUTPUTS_HEADING]
    parts += [f"| `{output.name}` | {_cell(output.about)} |\n" for output in OUTPUTS]
    return "".join(parts)


def _table(rows: Iterator[str]) -> str:
    return _TABLE + "".join(rows)


def _rows(prefix: str, group: Group) -> Iterator[str]:
    for setting in group.settings:
        yield _row(prefix, setting)
        inner = _group(setting)
        if inner is not None:
            yield from _rows(_below(setting, prefix + setting.key), inner)


def _row(prefix: str, setting: Setting[Any]) -> str:
    about = f"{setting.about} **Secret.**" if setting.secret else setting.about
    # A group is said by its rows, and a plain kind by its type.
    said = _group(setting) is not None or setting.kind.allowed.removeprefix("a ") == setting.kind.type
    allowed = "" if said else setting.kind.allowed
    cells = (f"`{prefix}{setting.key}`", setting.kind.type, _without(setting), allowed, about)
    return f"| {' | '.join(map(_cell, cells))} |\n"


def _without(setting: Setting[Any]) -> str:
    if setting.required:
        return "required"
    default = plain(setting.default)
    if setting.otherwise or default in (None, [], {}, ""):
        return setting.otherwise
    return f"`{default}`" if isinstance(default, str) else f"`{json.dumps(default)}`"


def _otherwise(setting: Setting[Any]) -> str:
    if setting.required:
        return " Required."
    return f" Without it: {setting.otherwise}." if setting.otherwise else ""


def _group(setting: Setting[Any]) -> Group | None:
    kind = setting.kind
    if isinstance(kind, Groups | FlagOrGroup):
        return kind.group
    return kind if isinstance(kind, Group) else None


def _below(setting: Setting[Any], key: str) -> str:
    return f"{key}[]." if isinstance(setting.kind, Groups) else f"{key}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
