"""A policy, or one rule of it, as YAML text that people can read and `auditlog.policy.read` reads back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from auditlog.policy.model import PolicyRule, Stage
from auditlog.policy.read import API_VERSION, KIND

_WIDTH = 100
_SHORT = 4
_EMPTY = '""'
# What YAML 1.1 reads as a string without quotes, booleans and nulls apart.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9./-]*")
_NOT_PLAIN = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


def header_lines(omit_stages: Sequence[Stage], omit_managed_fields: bool) -> list[str]:
    """The lines of a policy before its rules, ending in `rules:`."""
    lines = [f"apiVersion: {API_VERSION}", f"kind: {KIND}", *_list_lines("omitStages", omit_stages, "")]
    if omit_managed_fields:
        lines.append("omitManagedFields: true")
    return [*lines, "rules:"]


def rule_lines(rule: PolicyRule) -> list[str]:
    """The lines of one rule as an item of `rules`, indented by two spaces."""
    lines = [f"  - level: {rule.level.value}"]
    lines += _list_lines("users", rule.users, "    ")
    lines += _list_lines("userGroups", rule.user_groups, "    ")
    lines += _list_lines("verbs", rule.verbs, "    ")
    if rule.resources:
        lines.append("    resources:")
    for entry in rule.resources:
        lines.append(f"      - group: {_scalar(entry.group)}")
        lines += _list_lines("resources", entry.resources, "        ")
        lines += _list_lines("resourceNames", entry.resource_names, "        ")
    lines += _list_lines("namespaces", rule.namespaces, "    ")
    lines += _list_lines("nonResourceURLs", rule.non_resource_urls, "    ")
    lines += _list_lines("omitStages", rule.omit_stages, "    ")
    if rule.omit_managed_fields is not None:
        lines.append(f"    omitManagedFields: {str(rule.omit_managed_fields).lower()}")
    return lines


def rules_text(rules: Iterable[PolicyRule]) -> str:
    """Rules as items of `rules`, to be pasted into a policy; without a newline at the end."""
    return "\n".join(line for rule in rules for line in rule_lines(rule))


def rule_in_short(rule: PolicyRule) -> str:
    """One rule on one line, long lists cut: `level None, verbs [get, list, watch]`."""
    words = [f"level {rule.level.value}"]
    resources = [name for entry in rule.resources for name in entry.resources or (f"all of {entry.group or 'core'}",)]
    lists = (
        ("users", rule.users),
        ("userGroups", rule.user_groups),
        ("verbs", rule.verbs),
        ("resources", resources),
        ("namespaces", rule.namespaces),
        ("nonResourceURLs", () if rule.resources or rule.namespaces else rule.non_resource_urls),
    )
    for key, values in lists:
        if values:
            shown = [value or _EMPTY for value in values[:_SHORT]] + ["..."] * (len(values) > _SHORT)
            words.append(f"{key} [{', '.join(shown)}]")
    return ", ".join(words)


def _list_lines(key: str, values: Iterable[str], margin: str) -> list[str]:
    items = [_scalar(value) for value in values]
    if not items:
        return []
    line = f"{margin}{key}: [{', '.join(items)}]"
    if len(line) <= _WIDTH:
        return [line]
    return [f"{margin}{key}:", *(f"{margin}  - {item}" for item in items)]


def _scalar(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _NOT_PLAIN:
        return str(value)
    return f'"{"".join(_escaped(character) for character in value)}"'


def _escaped(character: str) -> str:
    """One character inside a double-quoted YAML scalar."""
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"
