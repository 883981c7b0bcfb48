"""The settings of the audit policy: which one, and what of it changes."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from types import MappingProxyType

import yaml

from auditlog.policy.model import GroupResources, Level, PolicyError, PolicyRule, Stage
from auditlog.policy.overlay import Drops, RaisedLevel
from auditlog.policy.presets import preset_parameters
from auditlog.policy.read import read_policy
from auditlog.settings.model import DEFAULT_POLICY_PATH, PolicySettings
from auditlog.settings.reader import Reader, is_absolute

_SOURCES = ("preset", "file", "inline", "base64")


def parse_policy(reader: Reader | None, presets: tuple[str, ...]) -> PolicySettings:
    if reader is None:
        return PolicySettings()
    reader.allow_only(
        *_SOURCES,
        "path",
        "parameters",
        "rulesBefore",
        "rulesAfter",
        "drop",
        "raise",
        "omitStages",
        "omitManagedFields",
    )
    preset = reader.text("preset", lambda value: value in presets, "one of " + ", ".join(presets))
    file = reader.text("file", bool, "the path of an audit.k8s.io/v1 Policy file, relative to the project")
    text = _inline(reader) or _decoded(reader)
    given = [key for key in _SOURCES if reader.has(key)]
    if len(given) > 1:
        reader.problem(given[0], f"is given together with {' and '.join(given[1:])}", "one of " + ", ".join(_SOURCES))
    path = reader.text("path", is_absolute, "an absolute path on the nodes") or DEFAULT_POLICY_PATH
    drop = reader.object("drop")
    return PolicySettings(
        preset=None if file or text else preset or "standard",
        file=file,
        path=path,
        text=text,
        parameters=_parameters(reader.object("parameters"), preset),
        rules_before=_rules(reader, "rulesBefore"),
        rules_after=_rules(reader, "rulesAfter"),
        drops=_drops(drop) if drop else Drops(),
        raised_levels=tuple(_raised_level(each) for each in reader.objects("raise", required=False)),
        omit_stages=reader.choices("omitStages", Stage),
        omit_managed_fields=reader.boolean("omitManagedFields"),
    )


def _inline(reader: Reader) -> str | None:
    """A policy in the configuration itself, as text or as a mapping; its content is checked where it is selected."""
    value = reader.text_or_mapping("inline", "an audit.k8s.io/v1 Policy, as YAML text or as a mapping")
    return value if value is None or isinstance(value, str) else yaml.safe_dump(dict(value), sort_keys=False)


def _decoded(reader: Reader) -> str | None:
    """A policy as the ``data`` of a Secret holds it (seed 003_4810ff95fb426dc9.txt); line breaks do not count."""
    allowed = "an audit.k8s.io/v1 Policy in base64, as in the data of a Secret"
    encoded = reader.text("base64", bool, allowed)
    if encoded is None:
        return None
    try:
        return base64.b64decode("".join(encoded.split()), validate=True).decode()
    except ValueError as error:
        reader.problem("base64", f"cannot be decoded: {error}", allowed)
        return None


def _parameters(reader: Reader | None, preset: str | None) -> Mapping[str, tuple[str, ...]]:
    if reader is None:
        return MappingProxyType({})
    names = preset_parameters(preset) if preset else ()
    reader.allow_only(*names)
    return MappingProxyType({name: reader.texts(name) for name in names if reader.has(name)})


def _rules(reader: Reader, key: str) -> tuple[PolicyRule, ...]:
    """Rules written as in a policy file, read by the policy's own reader."""
    rules = reader.raw(key)
    if rules is None:
        return ()
    document = yaml.safe_dump({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules}, sort_keys=False)
    try:
        return read_policy(document, key).rules
    except PolicyError as error:
        for problem in error.problems:
            reader.problem(key + problem.path.removeprefix("rules"), problem.message, "rules as in an audit policy")
        return ()


def _drops(reader: Reader) -> Drops:
    reader.allow_only("users", "userGroups", "namespaces", "resources", "nonResourceURLs")
    return Drops(
        users=reader.texts("users"),
        user_groups=reader.texts("userGroups"),
        namespaces=reader.texts("namespaces"),
        resources=tuple(_group_resources(each) for each in reader.objects("resources", required=False)),
        non_resource_urls=reader.texts("nonResourceURLs"),
    )


def _group_resources(reader: Reader) -> GroupResources:
    reader.allow_only("group", "resources", "resourceNames")
    group = reader.text("group", lambda _: True, "an API group, '' for the core one") or ""
    return GroupResources(group, reader.texts("resources"), reader.texts("resourceNames"))


def _raised_level(reader: Reader) -> RaisedLevel:
    reader.allow_only("level", "group", "resource")
    level = reader.choice("level", Level) or Level.METADATA
    group = reader.text("group", lambda _: True, "an API group, '' for the core one") or ""
    resource = reader.text("resource", bool, "a plural as in 'pods', or 'pods/exec'", required=True) or ""
    return RaisedLevel(level, group, resource)
