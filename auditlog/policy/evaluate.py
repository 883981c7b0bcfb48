"""What an audit policy decides about a request.

The answers are those that `k8s.io/apiserver/pkg/audit/policy/checker.go` gives, 1.30 to 1.37. Only the group `*`
differs: 1.36 and 1.37 know it, and older API servers refuse such a policy. So the version concerns validation, and
evaluation is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from typing import TypeVar

from auditlog.policy.model import Decision, GroupResources, Level, Policy, PolicyRule, Request

_REMEMBERED_ANSWERS = 1 << 16


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


_Remembered = TypeVar("_Remembered")
# In order, the names a rule is for (None: any) and its decision; more than one where the object's name decides.
_Answers = tuple[tuple[frozenset[str] | None, Decision], ...]


def compile_policy(policy: Policy) -> Callable[[Request], Decision]:
    """`evaluate` for many requests of one policy, with the same answers.

    A decision is remembered by the values that the policy's rules look at. Object names are many, so they are compared
    each time if a rule names any. The memory is emptied at a fixed number of entries: requests that all differ cannot
    fill it.
    """
    decisions = tuple(decision_of(policy, index) for index in range(len(policy.rules)))
    unmatched = decision_of(policy, None)
    rules = tuple(zip(policy.rules, map(_without_names, policy.rules), decisions, strict=True))
    resource_key, url_key = _key(policy, for_resources=True), _key(policy, for_resources=False)
    of_resources: dict[object, Decision] = {}
    of_urls: dict[object, Decision] = {}
    of_names: dict[object, _Answers] = {}

    def learn(request: Request) -> Decision:
        if not request.resource_request:
            return _remember(of_urls, url_key(request), _answers(rules, unmatched, request)[0][1])
        key = resource_key(request)
        answers = of_names.get(key)
        if answers is None:
            answers = _answers(rules, unmatched, request)
            if len(answers) == 1:
                return _remember(of_resources, key, answers[0][1])
            _remember(of_names, key, answers)
        return next(decision for names, decision in answers if names is None or request.name in names)

    # Most requests end here: a question about what was found would take a fifth of the time.
    def decide(request: Request) -> Decision:
        try:
            return of_resources[resource_key(request)] if request.resource_request else of_urls[url_key(request)]
        except KeyError:
            return learn(request)

    return decide


def _remember(memory: dict[object, _Remembered], key: object, value: _Remembered) -> _Remembered:
    if len(memory) >= _REMEMBERED_ANSWERS:
        memory.clear()
    memory[key] = value
    return value


def _key(policy: Policy, *, for_resources: bool) -> Callable[[Request], object]:
    """Reads from a request what the rules look at, its name apart, as something a dict can remember."""
    rules = policy.rules
    fields = []
    if any(rule.users or rule.user_groups for rule in rules):
        fields.append("user")
    if any(rule.user_groups for rule in rules):
        fields.append("groups")
    if any(rule.verbs for rule in rules):
        fields.append("verb")
    if for_resources:
        if any(rule.namespaces for rule in rules):
            fields.append("namespace")
        if any(rule.resources for rule in rules):
            fields += ["api_group", "resource", "subresource"]
    elif any(rule.non_resource_urls for rule in rules):
        fields.append("path")
    return attrgetter(*fields) if fields else lambda _: None


def _answers(
    rules: tuple[tuple[PolicyRule, PolicyRule, Decision], ...], unmatched: Decision, request: Request
) -> _Answers:
    found: list[tuple[frozenset[str] | None, Decision]] = []
    for rule, without_names, decision in rules:
        if rule_matches(without_names, request):
            found.append((_names_covered(rule.resources, request), decision))
            if found[-1][0] is None:
                return tuple(found)
    return (*found, (None, unmatched))


def _without_names(rule: PolicyRule) -> PolicyRule:
    return replace(rule, resources=tuple(replace(entry, resource_names=()) for entry in rule.resources))


def _names_covered(entries: tuple[GroupResources, ...], request: Request) -> frozenset[str] | None:
    """The names for which the entries cover the request's resource, None for any name."""
    names: set[str] = set()
    for entry in entries:
        if group_matches(replace(entry, resource_names=()), request):
            if not entry.resources or not entry.resource_names:
                return None
            names.update(entry.resource_names)
    return frozenset(names) if entries else None
