"""The settings of the audit policy: which one, and what of it changes."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import yaml

from auditlog.policy.model import GroupResources, Level, PolicyError, PolicyRule, Stage
from auditlog.policy.presets import preset_names, preset_parameters
from auditlog.policy.read import read_policy
from auditlog.policy.settings import DEFAULT_POLICY_PATH, Drops, PolicySettings, RaisedLevel
from auditlog.settings.kinds import ANY_TEXT, Boolean, Choice, OneOf, Text
from auditlog.settings.kinds_of_many import Choices, Items, TextOrMapping, Texts
from auditlog.settings.reader import Group, Groups, Reader
from auditlog.settings.setting import Encrypted, Setting, defaulted, optional, required
from auditlog.settings.texts import PATH_ON_NODES

DEFAULT_PRESET = "standard"
_BASE64 = "an audit.k8s.io/v1 Policy in base64, as in the data of a Secret"
_API_GROUP = defaulted(
    "group",
    Text("an API group, '' for the core one", ANY_TEXT, lambda _: True),
    "",
    "The API group; empty for the core group.",
)

PRESET = optional(
    "preset",
    OneOf(preset_names()),
    "A policy that comes with the project. `auditlog presets` lists them.",
    otherwise=f"{DEFAULT_PRESET}, unless another source is set",
)
FILE = optional(
    "file",
    Text("the path of an audit.k8s.io/v1 Policy file, relative to the project"),
    "A policy file, relative to the project.",
)
INLINE: Setting[str | Mapping[str, Any] | None] = Setting(
    "inline",
    TextOrMapping("an audit.k8s.io/v1 Policy, as YAML text or as a mapping"),
    "A policy in the stack file itself.",
    None,
)
BASE64 = optional("base64", Text(_BASE64), "A policy in base64, as in the `data` of a Secret.")
PATH = defaulted("path", PATH_ON_NODES, DEFAULT_POLICY_PATH, "The policy file on the nodes.")


def _parameters_of(presets: tuple[str, ...]) -> Group:
    names = {name: preset for preset in presets for name in preset_parameters(preset)}
    return Group(
        tuple(optional(name, Texts(), f"A parameter of the preset `{names[name]}`.") for name in sorted(names))
    )


PARAMETERS = optional("parameters", _parameters_of(preset_names()), "The preset's parameters, if it has any.")
RULES_BEFORE = optional(
    "rulesBefore",
    Items(),
    "Rules of an audit policy, before the policy's own rules. The first rule that matches decides.",
)
RULES_AFTER = optional("rulesAfter", Items(), "Rules of an audit policy, after the policy's own rules.")

DROP_USERS = defaulted("users", Texts(), (), "Users; their requests are not recorded.")
DROP_USER_GROUPS = defaulted("userGroups", Texts(), (), "Groups; their members' requests are not recorded.")
DROP_NAMESPACES = defaulted("namespaces", Texts(), (), "Namespaces; requests in them are not recorded.")
DROP_URLS = defaulted(
    "nonResourceURLs", Texts(), (), "Paths; requests for them are not recorded. A path may end in `*`."
)
RESOURCES = defaulted("resources", Texts(), (), "Plurals, also with a subresource: `pods/log`. Default: all.")
RESOURCE_NAMES = defaulted("resourceNames", Texts(), (), "Names of objects. Default: all.")
DROP_RESOURCES = defaulted(
    "resources",
    Groups(Group((_API_GROUP, RESOURCES, RESOURCE_NAMES))),
    (),
    "Resources; requests for them are not recorded.",
)
DROP = optional(
    "drop",
    Group((DROP_USERS, DROP_USER_GROUPS, DROP_NAMESPACES, DROP_RESOURCES, DROP_URLS)),
    "Requests that are not recorded in addition.",
)
LEVEL = required("level", Choice(Level), "The lowest level to record.")
RESOURCE = required("resource", Text("a plural as in 'pods', or 'pods/exec'"), "A plural, or one of its subresources.")
RAISE = defaulted(
    "raise",
    Groups(Group((LEVEL, _API_GROUP, RESOURCE))),
    (),
    "Resources that are recorded at least at this level, even if the policy drops them.",
)
OMIT_STAGES = optional(
    "omitStages",
    Choices(Stage),
    "Stages that write no event; replaces the policy's own.",
    otherwise="the policy's own",
)
OMIT_MANAGED_FIELDS = optional(
    "omitManagedFields",
    Boolean(),
    "Whether bodies are recorded without `managedFields`; replaces the policy's own.",
    otherwise="the policy's own",
)
_SOURCES: tuple[Setting[Any], ...] = (PRESET, FILE, INLINE, BASE64)
POLICY = Group(
    (
        *_SOURCES,
        PATH,
        PARAMETERS,
        RULES_BEFORE,
        RULES_AFTER,
        DROP,
        RAISE,
        OMIT_STAGES,
        OMIT_MANAGED_FIELDS,
    )
)


def parse_policy(reader: Reader | None, presets: tuple[str, ...]) -> PolicySettings:
    if reader is None:
        return PolicySettings()
    preset = reader.read(replace(PRESET, kind=OneOf(presets)))
    file = reader.read(FILE)
    text = _inline(reader) or _decoded(reader)
    given = [setting.key for setting in _SOURCES if reader.has(setting)]
    if len(given) > 1:
        every = ", ".join(setting.key for setting in _SOURCES)
        first = next(filter(reader.has, _SOURCES))
        reader.problem(first, f"is given together with {' and '.join(given[1:])}", f"one of {every}")
    drop = reader.read(DROP)
    return PolicySettings(
        preset=None if file or text else preset or DEFAULT_PRESET,
        file=file,
        path=reader.read(PATH),
        text=text,
        parameters=_parameters(reader, preset),
        rules_before=_rules(reader, RULES_BEFORE),
        rules_after=_rules(reader, RULES_AFTER),
        drops=_drops(drop) if drop else Drops(),
        raised_levels=tuple(_raised_level(each) for each in reader.read(RAISE)),
        omit_stages=reader.read(OMIT_STAGES),
        omit_managed_fields=reader.read(OMIT_MANAGED_FIELDS),
    )


def _inline(reader: Reader) -> str | None:
    """A policy in the configuration itself, as text or as a mapping; its content is checked where it is selected."""
    value = reader.read(INLINE)
    return value if value is None or isinstance(value, str) else yaml.safe_dump(dict(value), sort_keys=False)


def _decoded(reader: Reader) -> str | None:
    """A policy as the ``data`` of a Secret holds it; line breaks do not count."""
    encoded = reader.read(BASE64)
    if encoded is None or isinstance(encoded, Encrypted):
        return encoded
    try:
        return base64.b64decode("".join(encoded.split()), validate=True).decode()
    except ValueError as error:
        reader.problem(BASE64, f"cannot be decoded: {error}", _BASE64)
        return None


def _parameters(reader: Reader, preset: str | None) -> Mapping[str, tuple[str, ...]]:
    own = _parameters_of((preset,) if preset else ())
    given = reader.read(replace(PARAMETERS, kind=own))
    if given is None:
        return MappingProxyType({})
    return MappingProxyType({each.key: given.read(each) or () for each in own.settings if given.has(each)})


def _rules(reader: Reader, setting: Setting[list[Any] | None]) -> tuple[PolicyRule, ...]:
    """Rules written as in a policy file, read by the policy's own reader."""
    rules = reader.read(setting)
    if rules is None:
        return ()
    document = yaml.safe_dump({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules}, sort_keys=False)
    try:
        return read_policy(document, setting.key).rules
    except PolicyError as error:
        for problem in error.problems:
            below = problem.path.removeprefix("rules")
            reader.problem(setting, problem.message, "rules as in an audit policy", below=below)
        return ()


def _drops(reader: Reader) -> Drops:
    return Drops(
        users=reader.read(DROP_USERS),
        user_groups=reader.read(DROP_USER_GROUPS),
        namespaces=reader.read(DROP_NAMESPACES),
        resources=tuple(_group_resources(each) for each in reader.read(DROP_RESOURCES)),
        non_resource_urls=reader.read(DROP_URLS),
    )


def _group_resources(reader: Reader) -> GroupResources:
    return GroupResources(reader.read(_API_GROUP), reader.read(RESOURCES), reader.read(RESOURCE_NAMES))


def _raised_level(reader: Reader) -> RaisedLevel:
    return RaisedLevel(reader.read(LEVEL) or Level.METADATA, reader.read(_API_GROUP), reader.read(RESOURCE) or "")
