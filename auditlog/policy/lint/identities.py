"""Users and groups that a rule drops as a whole, that exist no more, or that are named by half."""

from __future__ import annotations

from collections.abc import Iterator

from auditlog.policy.lint.finding import Check, Context, Hit, Severity, writes
from auditlog.policy.model import Level, PolicyRule

_EVERYBODY = {
    "system:authenticated": (Severity.ERROR, "everybody who is logged in, people and workloads alike"),
    "system:masters": (Severity.ERROR, "administrators with the certificate that no role can limit"),
    "system:serviceaccounts": (Severity.WARNING, "every workload, and of whoever holds a workload's token"),
    "system:nodes": (Severity.WARNING, "every node, and of whoever holds a node's certificate"),
}
_GONE = {"system:unsecured": "the port without authentication, which left Kubernetes with 1.20"}


def _drops_everyone(context: Context) -> Iterator[Hit]:
    for index, (path, rule) in enumerate(context.rules()):
        if rule.level is not Level.NONE or rule.users or not _is_for_every_request(rule):
            continue
        for position, group in enumerate(rule.user_groups):
            if group in _EVERYBODY and _hides_something(context, index, group):
                severity, who = _EVERYBODY[group]
                yield Hit(
                    f"{path}.userGroups[{position}]",
                    f"drops every request of {who}, writes and reads of Secrets among them",
                    "name the verbs and resources that are noise, or put rules for what counts in front of it",
                    severity,
                )


def _is_for_every_request(rule: PolicyRule) -> bool:
    return not (rule.verbs or rule.resources or rule.namespaces or rule.non_resource_urls)


def _hides_something(context: Context, index: int, group: str) -> bool:
    """Whether a later rule would record what the group does, or no earlier one records any of it.

    At the end of a policy that has recorded before what counts, a drop is a catch-all that is meant.
    """
    rules = context.policy.rules

    def records(other: int) -> bool:
        for_group = not rules[other].user_groups or not {group, "system:authenticated"}.isdisjoint(
            rules[other].user_groups
        )
        return for_group and not rules[other].users and writes(context.decision(other))

    return any(map(records, range(index + 1, len(rules)))) or not any(map(records, range(index)))


def _gone(context: Context) -> Iterator[Hit]:
    for path, rule in context.rules():
        for index, user in enumerate(rule.users):
            if user in _GONE:
                yield Hit(
                    f"{path}.users[{index}]",
                    f'no request comes from "{user}" any more: it was the name for {_GONE[user]}',
                    "remove it; without another user in it, remove the rule",
                )


def _half_named(context: Context) -> Iterator[Hit]:
    for path, rule in context.rules():
        for key, names in (("users", rule.users), ("userGroups", rule.user_groups)):
            for index, name in enumerate(names):
                problem = _half(name, key)
                if problem:
                    yield Hit(f"{path}.{key}[{index}]", f'"{name}" never matches: {problem[0]}', problem[1])


def _half(name: str, key: str) -> tuple[str, str] | None:
    kind, _, rest = name.removeprefix("system:").partition(":")
    if not name.startswith("system:") or "*" in name:
        return None
    if kind == "serviceaccount" and key == "users" and (rest.count(":") != 1 or not all(rest.split(":"))):
        account = rest.strip(":") or "NAME"
        return (
            "a ServiceAccount is named with its namespace",
            f'write "system:serviceaccount:NAMESPACE:{account.rpartition(":")[2]}"',
        )
    if kind == "serviceaccounts" and key == "userGroups" and ":" in rest:
        return "the group of a namespace's ServiceAccounts ends with the namespace", "name the account under users"
    if kind == "node" and key == "users" and not rest:
        return "a kubelet's user ends with the name of its node", 'use userGroups: ["system:nodes"] for all of them'
    return None


CHECKS = (
    Check("drops-everyone", Severity.ERROR, "A rule drops every request of a group that many are in.", _drops_everyone),
    Check("gone-identity", Severity.INFO, "A user that no supported version knows.", _gone),
    Check("half-named-identity", Severity.ERROR, "A ServiceAccount or node without a part of its name.", _half_named),
)
