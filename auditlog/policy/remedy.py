"""The smallest rules that make a policy record what it does not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from auditlog.policy.model import GroupResources, Level, Policy, PolicyRule
from auditlog.policy.partition import may_meet
from auditlog.policy.recording import Hole, Need
from auditlog.policy.senders import AUTHENTICATED, Sender

_UNAUTHENTICATED = "system:unauthenticated"


def rules_for(policy: Policy, need: Need, hole: Hole) -> tuple[PolicyRule, ...]:
    """What goes in front of the hole's rule, or behind the last rule where none matches.

    Only what both the rule and the need are about; for requests whose authentication failed see `_for_nobody_known`.
    """
    dropping = PolicyRule(Level.NONE) if hole.rule is None else policy.rules[hole.rule]
    if all(sender.is_unauthenticated for sender in hole.senders):
        return _for_nobody_known(need, dropping, hole.senders)
    users = {sender.user for sender in hole.senders}
    # Somebody who acted as the user is not the user.
    advice = (replace(rule, users=()) if users.isdisjoint(rule.users) else rule for rule in need.advice)
    common = (_common(rule, dropping) for rule in advice if may_meet(rule, dropping))
    return tuple(dict.fromkeys(rule for rule in common if rule is not None))


def _for_nobody_known(need: Need, dropping: PolicyRule, senders: Iterable[Sender]) -> tuple[PolicyRule, ...]:
    """No rule can name requests whose authentication failed: those of everybody else are dropped in front of them."""
    unwanted = [rule for rule in need.rules if rule.level is Level.NONE and may_meet(rule, dropping)]
    recorded = replace(dropping, level=Level.METADATA, users=(), user_groups=(), omit_stages=())
    if any(sender.user is None for sender in senders):
        return (replace(dropping, user_groups=(AUTHENTICATED,)), *unwanted, recorded)
    nobody = (_UNAUTHENTICATED,)
    return (*(replace(rule, user_groups=nobody) for rule in unwanted), replace(recorded, user_groups=nobody))


def _common(wanted: PolicyRule, dropping: PolicyRule) -> PolicyRule | None:
    """The rule for what both are about, wider where wildcards meet; None where that is nothing."""
    users = _both(wanted.users, dropping.users)
    verbs = _both(wanted.verbs, dropping.verbs)
    namespaces = _both(wanted.namespaces, dropping.namespaces)
    if users is None or verbs is None or namespaces is None:
        return None
    urls = wanted.non_resource_urls or dropping.non_resource_urls
    resources = _entries(wanted.resources, dropping.resources)
    return PolicyRule(
        wanted.level,
        users=users,
        user_groups=wanted.user_groups or dropping.user_groups,
        verbs=verbs,
        resources=resources,
        namespaces=namespaces,
        non_resource_urls=() if resources or namespaces else urls,
    )


def _both(wanted: tuple[str, ...], dropping: tuple[str, ...]) -> tuple[str, ...] | None:
    """The values in both lists, where an empty one stands for every value; None for no value at all."""
    if not wanted or not dropping:
        return wanted or dropping
    return tuple(value for value in wanted if value in dropping) or None


def _entries(wanted: tuple[GroupResources, ...], dropping: tuple[GroupResources, ...]) -> tuple[GroupResources, ...]:
    if not wanted or not dropping:
        return wanted or dropping
    if any("*" in name for entry in (*wanted, *dropping) for name in (entry.group, *(entry.resources or "*"))):
        # Wildcards meet in more ways than equal names do: then everything that is wanted.
        return wanted
    found = []
    for entry in wanted:
        dropped = {name for other in dropping if other.group == entry.group for name in other.resources}
        if named := tuple(name for name in entry.resources if name in dropped):
            found.append(replace(entry, resources=named))
    return tuple(found) or wanted
