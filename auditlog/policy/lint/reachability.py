"""Rules, and values in rules, that never decide anything: shadowed by earlier rules, or matched by no request.

All decided on the exact partition of requests (`auditlog.policy.partition`), never by comparing texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from auditlog.policy.lint.finding import SUBJECT, Check, Context, Hit, Severity, listed
from auditlog.policy.model import GroupResources, Level, PolicyRule
from auditlog.policy.partition import VERBS, deciders
from auditlog.policy.phrase import groups_of


def _unreachable_rules(context: Context) -> Iterator[Hit]:
    for index, (path, rule) in enumerate(context.rules()):
        taken_by = deciders(context.policy.rules[:index], rule)
        if taken_by and None not in taken_by:
            yield Hit(
                path,
                f"never decides: every request it matches is decided by {_names(context, taken_by)}",
                "move the rule in front of what hides it, or remove it",
            )


def _impossible_rules(context: Context) -> Iterator[Hit]:
    for path, rule in context.rules():
        # A verb that never occurs is a finding of its own.
        if not deciders((), rule) and not (rule.verbs and VERBS.isdisjoint(rule.verbs)):
            yield Hit(path, "no request can match all of its restrictions", "remove what contradicts, or the rule")


def _unreachable_values(context: Context) -> Iterator[Hit]:
    for index, (path, rule) in enumerate(context.rules()):
        earlier = context.policy.rules[:index]
        taken_by = deciders(earlier, rule)
        # Nothing is hidden where no earlier rule takes anything, and everything where they take it all.
        if taken_by == {None} or None not in taken_by:
            continue
        for value_path, value, narrowed in _with_one_value(path, rule):
            taken_by = deciders(earlier, narrowed)
            if taken_by and None not in taken_by:
                yield Hit(
                    value_path,
                    f"no effect for {SUBJECT}: {_names(context, taken_by)} decides every such request before",
                    "remove it, or move the rule in front of what hides it",
                    subject=f'"{value}"',
                )


def _unreachable_identities(context: Context) -> Iterator[Hit]:
    """Users and groups whose requests earlier rules take because of the groups Kubernetes itself puts them in.

    Further groups could only make more of the earlier rules match, so the least there are is all there is to look at.
    """
    for index, (path, rule) in enumerate(context.rules()):
        earlier = context.policy.rules[:index]
        for identity_path, name, groups, narrowed in _identities(path, rule):
            user = name if ".users[" in identity_path else None
            meeting = [number for number, other in enumerate(earlier) if _is_for(other, user, groups)]
            taken_by = deciders([_of_anyone(earlier[number]) for number in meeting], _of_anyone(rule))
            if taken_by and None not in taken_by and None in deciders(earlier, narrowed):
                rules = _names(context, frozenset(meeting[number] for number in taken_by if number is not None))
                yield Hit(
                    identity_path,
                    f"no effect for {SUBJECT}: whoever it stands for is in {listed(groups)}, "
                    f"and {rules} decides every such request before",
                    "remove it, or move the rule in front of what hides it",
                    subject=f'"{name}"',
                )


def _identities(path: str, rule: PolicyRule) -> Iterator[tuple[str, str, tuple[str, ...], PolicyRule]]:
    """Each user and group of a rule with the groups it is in for certain, and the rule for it alone."""
    for index, user in enumerate(rule.users):
        yield f"{path}.users[{index}]", user, groups_of(user), replace(rule, users=(user,))
    for index, group in enumerate(rule.user_groups):
        yield f"{path}.userGroups[{index}]", group, _groups_with(group), replace(rule, user_groups=(group,))


def _of_anyone(rule: PolicyRule) -> PolicyRule:
    return replace(rule, users=(), user_groups=())


def _groups_with(group: str) -> tuple[str, ...]:
    """A group and those that all of its members are in."""
    if group == "system:unauthenticated":
        return (group,)
    accounts = ("system:serviceaccounts",) if group.startswith("system:serviceaccounts:") else ()
    return tuple(dict.fromkeys((group, *accounts, "system:authenticated")))


def _is_for(rule: PolicyRule, user: str | None, groups: tuple[str, ...]) -> bool:
    if rule.users and user not in rule.users:
        return False
    return not rule.user_groups or not set(groups).isdisjoint(rule.user_groups)


def _dropped_before(context: Context) -> Iterator[Hit]:
    for index, (path, rule) in enumerate(context.rules()):
        if rule.level is Level.NONE or not rule.resources or rule.verbs:
            continue
        for dropping, earlier in enumerate(context.policy.rules[:index]):
            if earlier.level is not Level.NONE or not earlier.verbs or not _any_target_of_anyone(earlier):
                continue
            lost = [
                verb for verb in earlier.verbs if dropping in deciders(context.policy.rules[:index], _of(rule, verb))
            ]
            if lost:
                yield Hit(
                    path,
                    f"has no verbs, but {context.rule_name(dropping)} has dropped {listed(lost)} of everything before",
                    f"move it in front of {context.rule_name(dropping)}, or write down the verbs that are left",
                )


def _any_target_of_anyone(rule: PolicyRule) -> bool:
    return not (rule.users or rule.user_groups or rule.resources or rule.namespaces or rule.non_resource_urls)


def _of(rule: PolicyRule, verb: str) -> PolicyRule:
    return replace(rule, verbs=(verb,))


def _with_one_value(path: str, rule: PolicyRule) -> Iterator[tuple[str, str, PolicyRule]]:
    """The rule once for each of its values, with nothing else in that value's list. Lists of one are left out: there
    the value is the rule.
    """
    for key, field in (
        ("verbs", "verbs"),
        ("users", "users"),
        ("userGroups", "user_groups"),
        ("namespaces", "namespaces"),
        ("nonResourceURLs", "non_resource_urls"),
    ):
        values: tuple[str, ...] = getattr(rule, field)
        for index, value in enumerate(values) if len(values) > 1 else ():
            yield f"{path}.{key}[{index}]", value, replace(rule, **{field: (value,)})  # type: ignore[arg-type]
    for index, entry in enumerate(rule.resources):
        here = f"{path}.resources[{index}]"
        if not entry.resources and len(rule.resources) > 1:
            yield f"{here}.group", entry.group, replace(rule, resources=(entry,))
        if len(rule.resources) == 1 and len(entry.resources) == 1:
            continue
        for position, resource in enumerate(entry.resources):
            narrowed = GroupResources(entry.group, (resource,), entry.resource_names)
            yield f"{here}.resources[{position}]", resource, replace(rule, resources=(narrowed,))


def _names(context: Context, rules: frozenset[int | None]) -> str:
    return listed(context.rule_name(index) for index in sorted(index for index in rules if index is not None))


CHECKS = (
    Check(
        "unreachable-rule",
        Severity.ERROR,
        "A rule never decides anything, because earlier rules match every request it matches.",
        _unreachable_rules,
    ),
    Check("impossible-rule", Severity.ERROR, "No request can match a rule.", _impossible_rules),
    Check(
        "unreachable-value",
        Severity.WARNING,
        "A value in a rule has no effect, because earlier rules decide every request with it.",
        _unreachable_values,
    ),
    Check(
        "unreachable-identity",
        Severity.WARNING,
        "A user or group has no effect, because earlier rules name a group that Kubernetes puts all of them in.",
        _unreachable_identities,
    ),
    Check(
        "dropped-before",
        Severity.WARNING,
        "A rule for certain resources comes after a rule that drops some verbs of everything.",
        _dropped_before,
    ),
)
