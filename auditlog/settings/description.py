"""A setting described where it appears alone: its meaning, what is allowed, and its default, in one text."""

from __future__ import annotations

import json
from typing import Any

from auditlog.settings.kinds import Switch
from auditlog.settings.reader import FlagOrGroup, Group, Groups
from auditlog.settings.setting import Setting, plain


def description(setting: Setting[Any], *, on_and_off_as_booleans: bool = False) -> str:
    """One paragraph. ``on_and_off_as_booleans``: where it stands, a switch is a boolean."""
    parts = [setting.about]
    kind = setting.kind
    if not isinstance(kind, Group | Groups | FlagOrGroup) and kind.allowed.removeprefix("a ") != kind.type:
        parts.append(f"Allowed: {kind.allowed}.")
    if isinstance(kind, Switch) and on_and_off_as_booleans:
        parts.append("Here `true` is on and `false` is off.")
    default = plain(setting.default)
    if setting.otherwise:
        parts.append(f"Default: {setting.otherwise}.")
    elif default not in (None, [], {}, ""):
        parts.append(f"Default: {default if isinstance(default, str) else json.dumps(default)}.")
    return " ".join(parts)


def with_keys(setting: Setting[Any]) -> str:
    """The same for a place that shows no keys of a mapping: they are named, with simple defaults in brackets."""
    kind = setting.kind
    group = kind if isinstance(kind, Group) else getattr(kind, "group", None)
    if group is None:
        return description(setting)
    required = [each.key for each in group.settings if each.required]
    optional = [f"{each.key}{_default(each)}" for each in group.settings if not each.required]
    parts = [f"{label}: {', '.join(keys)}." for label, keys in (("Required", required), ("Optional", optional)) if keys]
    return " ".join([description(setting), *parts])


def _default(setting: Setting[Any]) -> str:
    default = plain(setting.default)
    if isinstance(default, bool):
        return f" ({str(default).lower()})"
    return f" ({default})" if isinstance(default, str | int | float) and default != "" else ""
