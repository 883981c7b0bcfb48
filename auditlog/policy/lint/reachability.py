"""Rules, and values in rules, that never decide anything: shadowed by earlier rules, or matched by no request.

All decided on the exact partition of requests (`auditlog.policy.partition`), never by comparing texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from auditlog.policy.lint.finding import Check, Context, Hit, Severity, listed
from auditlog.policy.model import GroupResources, Level, PolicyRule
from auditlog.policy.partition import deciders


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
        if not deciders((), rule):
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
                    f'"{value}" has no effect: {_names(context, taken_by)} decides every such request before',
                    "remove it, or move the rule in front of what hides it",
                )


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
        "dropped-before",
        Severity.WARNING,
        "A rule for certain resources comes after a rule that drops some verbs of everything.",
        _dropped_before,
    ),
)
