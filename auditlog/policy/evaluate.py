"""What an audit policy decides about a request.

The same answers as `k8s.io/apiserver/pkg/audit/policy/checker.go`, 1.30 to 1.36. The evaluator is the same in
all of them but for the group `*`, which only 1.36 knows; older API servers refuse such a policy, so the
version is a matter of validation and not of evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from auditlog.policy.model import Decision, GroupResources, Level, Policy, PolicyRule, Request

_REMEMBERED_REQUEST_KINDS = 1 << 16


def evaluate(policy: Policy, request: Request) -> Decision:
    """The decision for one request: the first rule that matches, else level None with the policy-wide
    settings.
    """
    for index, rule in enumerate(policy.rules):
        if rule_matches(rule, request):
            return decision_of(policy, index)
    return decision_of(policy, None)


def decision_of(policy: Policy, rule_index: int | None) -> Decision:
    """What the rule at `rule_index` decides for the requests it matches; None stands for "no rule matched".

    Stages omitted by the policy and by the rule add up; a rule's omitManagedFields replaces the policy's.
    """
    if rule_index is None:
        return Decision(Level.NONE, frozenset(policy.omit_stages), policy.omit_managed_fields, None)
    rule = policy.rules[rule_index]
    omit_managed_fields = policy.omit_managed_fields if rule.omit_managed_fields is None else rule.omit_managed_fields
    return Decision(rule.level, frozenset(policy.omit_stages + rule.omit_stages), omit_managed_fields, rule_index)


def rule_matches(rule: PolicyRule, request: Request) -> bool:
    """Whether every restriction of the rule holds for the request."""
    return (
        user_matches(rule, request) and (not rule.verbs or request.verb in rule.verbs) and target_matches(rule, request)
    )


def user_matches(rule: PolicyRule, request: Request) -> bool:
    """Whether the rule's users and groups hold; a request without a user has no groups either."""
    if rule.users and (request.user is None or request.user not in rule.users):
        return False
    return not rule.user_groups or (
        request.user is not None and any(group in rule.user_groups for group in request.groups)
    )


def target_matches(rule: PolicyRule, request: Request) -> bool:
    """Whether the rule's namespaces and resources, or else its URLs, hold.

    A rule with namespaces or resources never matches a non-resource request, and its URLs are not looked at.
    """
    if rule.namespaces or rule.resources:
        if not request.resource_request:
            return False
        if rule.namespaces and request.namespace not in rule.namespaces:
            return False
        return not rule.resources or any(group_matches(entry, request) for entry in rule.resources)
    if rule.non_resource_urls:
        return not request.resource_request and any(
            url_matches(pattern, request.path) for pattern in rule.non_resource_urls
        )
    return True


def group_matches(entry: GroupResources, request: Request) -> bool:
    """Whether one `resources` entry covers a resource request.

    An entry without resources covers its whole group, whatever its resourceNames say.
    """
    if entry.group not in ("*", request.api_group):
        return False
    if not entry.resources:
        return True
    if entry.resource_names and request.name not in entry.resource_names:
        return False
    return any(resource_matches(pattern, request.resource, request.subresource) for pattern in entry.resources)


def resource_matches(pattern: str, resource: str, subresource: str) -> bool:
    """Whether one resource pattern covers a resource and its subresource ("" for the resource itself).

    `pods` does not cover `pods/log`, and `pods/*` covers `pods` as well as its subresources: the API
    documentation says otherwise, the evaluator does so.
    """
    if pattern == "*" or pattern == (f"{resource}/{subresource}" if subresource else resource):
        return True
    if subresource and pattern.startswith("*/") and pattern[2:] == subresource:
        return True
    return pattern.endswith("/*") and pattern[:-2] == resource


def url_matches(pattern: str, path: str) -> bool:
    """Whether one nonResourceURLs pattern covers a path; all trailing `*` together stand for any ending."""
    return pattern == "*" or pattern == path or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))


class _Candidate(NamedTuple):
    """A rule that matches one kind of request, given what is left to check; None means nothing is."""

    users: frozenset[str] | None
    user_groups: frozenset[str] | None
    namespaces: frozenset[str] | None
    names: frozenset[str] | None
    decision: Decision


def compile_policy(policy: Policy) -> Callable[[Request], Decision]:
    """`evaluate` for many requests of one policy, with the same answers.

    The rules that can match a verb, group, resource and subresource (or a verb and path) are found once and
    remembered; a request then only needs its user, groups, namespace and name compared. What is remembered is
    dropped when it grows beyond a fixed number of entries, so unbounded paths cannot fill the memory.
    """
    decisions = tuple(decision_of(policy, index) for index in range(len(policy.rules)))
    unmatched = decision_of(policy, None)
    remembered: dict[tuple[str, ...], tuple[_Candidate, ...]] = {}

    def decide(request: Request) -> Decision:
        if request.resource_request:
            kind: tuple[str, ...] = (
                request.verb,
                request.api_group,
                request.resource,
                request.subresource,
            )
        else:
            kind = (request.verb, request.path)
        candidates = remembered.get(kind)
        if candidates is None:
            if len(remembered) >= _REMEMBERED_REQUEST_KINDS:
                remembered.clear()
            candidates = remembered[kind] = _candidates(policy, decisions, request)
        for users, user_groups, namespaces, names, decision in candidates:
            if users is not None and request.user not in users:
                continue
            if user_groups is not None and (request.user is None or user_groups.isdisjoint(request.groups)):
                continue
            if namespaces is not None and request.namespace not in namespaces:
                continue
            if names is not None and request.name not in names:
                continue
            return decision
        return unmatched

    return decide


def _candidates(policy: Policy, decisions: tuple[Decision, ...], request: Request) -> tuple[_Candidate, ...]:
    """The rules that can match a request of the same kind, up to the first that always does."""
    found: list[_Candidate] = []
    for rule, decision in zip(policy.rules, decisions, strict=True):
        if rule.verbs and request.verb not in rule.verbs:
            continue
        names: frozenset[str] | None = None
        if rule.namespaces or rule.resources:
            if not request.resource_request:
                continue
            if rule.resources:
                covered, names = _names_covered(rule.resources, request)
                if not covered:
                    continue
        elif rule.non_resource_urls and not target_matches(rule, request):
            continue
        candidate = _Candidate(
            frozenset(rule.users) or None,
            frozenset(rule.user_groups) or None,
            frozenset(rule.namespaces) or None,
            names,
            decision,
        )
        found.append(candidate)
        if candidate[:4] == (None, None, None, None):
            break
    return tuple(found)


def _names_covered(entries: tuple[GroupResources, ...], request: Request) -> tuple[bool, frozenset[str] | None]:
    """Whether any entry covers the request's resource for some name, and for which names (None: for all)."""
    names: set[str] = set()
    for entry in entries:
        if entry.group not in ("*", request.api_group):
            continue
        if not entry.resources:
            return True, None
        if any(resource_matches(pattern, request.resource, request.subresource) for pattern in entry.resources):
            if not entry.resource_names:
                return True, None
            names.update(entry.resource_names)
    return bool(names), frozenset(names)
