"""API groups, resources and subresources that the Kubernetes version does not have, or has elsewhere."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from auditlog.policy.lint.finding import SUBJECT, Check, Context, Hit, Severity, listed
from auditlog.policy.model import NEWEST_MINOR, GroupResources, PolicyRule
from auditlog.policy.read import IGNORED_KEY
from auditlog.policy.resources import (
    REMOVED_RESOURCES,
    builtin_groups,
    builtin_resources,
    find_resource,
    groups_with,
    removed_since,
    resource_in_group,
)
from auditlog.policy.validate import GROUP_WILDCARD_MINOR

_SUBRESOURCES = {
    "tokenrequest": "serviceaccounts/token",
    "tokenrequests": "serviceaccounts/token",
    "exec": "pods/exec",
    "attach": "pods/attach",
    "portforward": "pods/portforward",
    "log": "pods/log",
    "logs": "pods/log",
    "evictions": "pods/eviction",
}
"""Subresources and kinds that are taken for resources."""


@dataclass(frozen=True, slots=True)
class _Named:
    """One resource pattern that names a resource, in a group that is not `*`."""

    path: str
    group: str
    resource: str
    subresource: str


def _named(context: Context) -> Iterator[_Named]:
    for path, _, entry in _entries(context):
        for position, pattern in enumerate(entry.resources):
            resource, slash, subresource = pattern.partition("/")
            is_well_formed = resource and bool(subresource) == bool(slash) and "/" not in subresource
            if entry.group != "*" and is_well_formed and "*" not in resource:
                yield _Named(f"{path}.resources[{position}]", entry.group, resource, subresource)


def _entries(context: Context) -> Iterator[tuple[str, PolicyRule, GroupResources]]:
    """The entries that say what they mean: one with a key that is ignored has that finding alone."""
    ignored = {each.path.rpartition(".")[0] for each in context.policy.ignored if each.finding == IGNORED_KEY}
    for path, rule in context.rules():
        for index, entry in enumerate(rule.resources):
            here = f"{path}.resources[{index}]"
            if here not in ignored:
                yield here, rule, entry


def _wrong_groups(context: Context) -> Iterator[Hit]:
    minor = context.kubernetes_minor
    for each in _named(context):
        if resource_in_group(each.group, each.resource, minor) or each.group not in _all_groups(minor):
            continue
        homes = groups_with(each.resource, minor)
        if homes and not removed_since(each.group, each.resource, minor):
            yield Hit(
                each.path,
                f"{_group_name(each.group)} has no {SUBJECT}, so this never matches one",
                f"did you mean {listed((_quoted(home) for home in homes), 'or')} as the group?",
                subject=each.resource,
            )


def _unknown_resources(context: Context) -> Iterator[Hit]:
    minor = context.kubernetes_minor
    for each in _named(context):
        if each.group not in builtin_groups(minor) or groups_with(each.resource, minor):
            continue
        if removed_since(each.group, each.resource, minor) or _first_minor(each.group, each.resource, minor):
            continue
        found = find_resource(each.resource, minor, each.group) or find_resource(each.resource, minor)
        plurals = [resource.resource for resource in builtin_resources(minor) if resource.group == each.group]
        close = [found.resource] if found else difflib.get_close_matches(each.resource.lower(), plurals, n=1)
        hint = f'did you mean "{close[0]}"' if close else "remove it, or correct the name"
        if each.resource.lower() in _SUBRESOURCES:
            hint = f'did you mean "{_SUBRESOURCES[each.resource.lower()]}" of the core group'
        elif found and found.group != each.group:
            hint += f" of group {_quoted(found.group)}"
        yield Hit(each.path, f'"{each.resource}" is no resource of {_group_name(each.group)} in 1.{minor}', f"{hint}?")


def _unknown_subresources(context: Context) -> Iterator[Hit]:
    minor = context.kubernetes_minor
    for each in _named(context):
        known = resource_in_group(each.group, each.resource, minor)
        if known is None or each.subresource in ("", "*", *known.subresources):
            continue
        close = difflib.get_close_matches(each.subresource, known.subresources, n=1)
        hint = f'did you mean "{each.resource}/{close[0]}"?' if close else ""
        allowed = listed(known.subresources, "or") or "none"
        yield Hit(
            each.path,
            f'{known.qualified_name} has no subresource "{each.subresource}" in 1.{minor}',
            hint or f"allowed: {allowed}",
        )


def _removed(context: Context) -> Iterator[Hit]:
    minor = context.kubernetes_minor
    for each in _named(context):
        since = removed_since(each.group, each.resource, minor)
        if since is None:
            continue
        instead = next(
            (old.instead for old in REMOVED_RESOURCES if (old.group, old.resource) == (each.group, each.resource)), ""
        )
        homes = groups_with(each.resource, minor)
        now = instead or (f"{each.resource} in {listed(homes, 'or')}" if homes else "nothing")
        yield Hit(
            each.path,
            f"gone from {_group_name(each.group)}: {SUBJECT}",
            "name what is there instead, or remove it",
            subject=f"{each.resource} (since 1.{since}; instead: {now})",
        )
    for path, _, entry in _entries(context):
        removed = {old.group for old in REMOVED_RESOURCES} - builtin_groups(minor)
        if not entry.resources and entry.group in removed:
            yield Hit(f"{path}.group", f"{_group_name(entry.group)} no longer exists in 1.{minor}", "remove it")


def _newer(context: Context) -> Iterator[Hit]:
    minor = context.kubernetes_minor
    for each in _named(context):
        first = _first_minor(each.group, each.resource, minor)
        if first is not None:
            yield Hit(
                each.path,
                f"{each.resource} of {_group_name(each.group)} comes with 1.{first}; 1.{minor} does not have it",
                "keep it when an upgrade is planned, else remove it",
            )


def _unknown_groups(context: Context) -> Iterator[Hit]:
    minor = context.kubernetes_minor
    known = sorted(_all_groups(minor) - {""})
    for path, _, entry in _entries(context):
        if entry.group in ("", "*") or entry.group in known or "/" in entry.group:
            continue
        by_first_label = [group for group in known if group.partition(".")[0] == entry.group]
        close = by_first_label or difflib.get_close_matches(entry.group, known, n=1, cutoff=0.8)
        # A custom resource's group has a dot, and *.k8s.io is reserved for the project itself and its add-ons.
        if "." not in entry.group or close:
            hint = f'did you mean "{close[0]}"?' if close else "name a group of this version, or a custom resource's"
            if entry.group in ("core", "v1"):
                hint = 'the core group is written ""'
            yield Hit(f"{path}.group", f'there is no API group "{entry.group}" in 1.{minor}', hint)


def _cluster_scoped(context: Context) -> Iterator[Hit]:
    minor = context.kubernetes_minor
    for path, rule, entry in _entries(context):
        if not rule.namespaces or "" in rule.namespaces:
            continue
        for position, pattern in enumerate(entry.resources):
            resource = resource_in_group(entry.group, pattern.partition("/")[0], minor)
            # A Namespace object carries its own name as its namespace (RequestInfo).
            if resource and not resource.namespaced and resource.qualified_name != "namespaces":
                yield Hit(
                    f"{path}.resources[{position}]",
                    f"{resource.qualified_name} have no namespace, so they never match a rule with namespaces",
                    'add "" to the namespaces, or give them their own rule',
                )


def _newer_server(context: Context) -> Iterator[Hit]:
    if context.kubernetes_minor < GROUP_WILDCARD_MINOR:
        return
    for path, _, entry in _entries(context):
        if entry.group == "*":
            yield Hit(
                f"{path}.group",
                f'"*" for every group needs Kubernetes 1.{GROUP_WILDCARD_MINOR}: '
                f"an API server of 1.{GROUP_WILDCARD_MINOR - 1} or older does not start with it",
                "keep it where no older API server gets this policy, else name the groups",
            )


def _first_minor(group: str, resource: str, minor: int) -> int | None:
    """The first later version that has a resource this one does not have and no older one had."""
    if resource_in_group(group, resource, minor) or removed_since(group, resource, minor):
        return None
    later = range(minor + 1, NEWEST_MINOR + 1)
    return next((each for each in later if resource_in_group(group, resource, each)), None)


def _all_groups(minor: int) -> frozenset[str]:
    """The groups of Kubernetes itself, removed ones among them."""
    return builtin_groups(minor) | builtin_groups(NEWEST_MINOR) | {old.group for old in REMOVED_RESOURCES}


def _group_name(group: str) -> str:
    return f"group {group}" if group else "the core group"


def _quoted(group: str) -> str:
    return f'"{group}"'


CHECKS = (
    Check("wrong-group", Severity.ERROR, "A built-in resource is named in a group it is not in.", _wrong_groups),
    Check(
        "unknown-resource",
        Severity.WARNING,
        "A built-in group has no such resource in any version.",
        _unknown_resources,
    ),
    Check("unknown-subresource", Severity.WARNING, "A resource has no such subresource.", _unknown_subresources),
    Check("unknown-group", Severity.WARNING, "An API group that neither exists nor can exist.", _unknown_groups),
    Check("removed-api", Severity.WARNING, "A resource or group that left the Kubernetes API.", _removed),
    Check("newer-server", Severity.INFO, "The policy needs a newer API server than the oldest.", _newer_server),
    Check("newer-api", Severity.INFO, "A resource that only a later version has.", _newer),
    Check(
        "cluster-scoped-in-namespace",
        Severity.WARNING,
        "A rule for namespaces names resources without a namespace.",
        _cluster_scoped,
    ),
)
