"""Why a policy decides so about a request: the rule that matched, and what kept each earlier one from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from auditlog.policy.evaluate import evaluate, resource_matches, rule_matches
from auditlog.policy.model import Decision, GroupResources, Policy, PolicyRule, Request, Stage


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first restriction of a rule that does not hold: the field, what the rule wants, what the request has."""

    field: str
    wanted: str
    given: str

    def __str__(self) -> str:
        return f"{self.field} is {self.wanted}, the request has {self.given}"


@dataclass(frozen=True, slots=True)
class PassedRule:
    """A rule that was looked at before the one that decides; its index counts from 0."""

    rule_index: int
    line: int
    mismatch: Mismatch


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision for one request, and the rules before the one that made it. `line` is that rule's, 0 for none."""

    request: Request
    decision: Decision
    line: int
    passed: tuple[PassedRule, ...]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages at which an event is written, when the request reaches them; none at level None."""
        if not self.decision.level.rank:
            return ()
        return tuple(stage for stage in Stage if stage not in self.decision.omit_stages)


def explain(policy: Policy, request: Request) -> Explanation:
    """The decision of `auditlog.policy.evaluate`, with the reasons."""
    decision = evaluate(policy, request)
    decisive = decision.rule_index
    passed = []
    for index, rule in enumerate(policy.rules[:decisive]):
        mismatch = first_mismatch(rule, request)
        assert mismatch is not None  # noqa: S101 - else it would have been the deciding rule
        passed.append(PassedRule(index, rule.line, mismatch))
    line = 0 if decisive is None else policy.rules[decisive].line
    return Explanation(request, decision, line, tuple(passed))


def first_mismatch(rule: PolicyRule, request: Request) -> Mismatch | None:
    """The first field, in the order the API server looks at them, that keeps the rule from matching; None when it
    matches.
    """
    if rule_matches(rule, request):
        return None
    if rule.users and request.user not in rule.users:
        return Mismatch("users", _list(rule.users), _user(request))
    if rule.user_groups and (request.user is None or set(rule.user_groups).isdisjoint(request.groups)):
        given = "no known user" if request.user is None else _list(request.groups)
        return Mismatch("userGroups", _list(rule.user_groups), given)
    if rule.verbs and request.verb not in rule.verbs:
        return Mismatch("verbs", _list(rule.verbs), _quoted(request.verb))
    if not (rule.namespaces or rule.resources):
        given = f"the resource {_resource(request)}" if request.resource_request else _quoted(request.path)
        return Mismatch("nonResourceURLs", _list(rule.non_resource_urls), given)
    if not request.resource_request:
        wanted = _list(rule.namespaces) if rule.namespaces else _entries(rule.resources)
        return Mismatch("namespaces" if rule.namespaces else "resources", wanted, f"the URL {_quoted(request.path)}")
    if rule.namespaces and request.namespace not in rule.namespaces:
        return Mismatch("namespaces", _list(rule.namespaces), _quoted(request.namespace))
    return _resource_mismatch(rule.resources, request)


def _resource_mismatch(entries: tuple[GroupResources, ...], request: Request) -> Mismatch:
    in_group = [entry for entry in entries if entry.group in ("*", request.api_group)]
    if not in_group:
        return Mismatch("resources.group", _list(entry.group for entry in entries), _quoted(request.api_group))
    named = [
        entry
        for entry in in_group
        if any(resource_matches(pattern, request.resource, request.subresource) for pattern in entry.resources)
    ]
    if not named:
        wanted = _list(pattern for entry in in_group for pattern in entry.resources)
        return Mismatch("resources.resources", wanted, _quoted(_plain_resource(request)))
    wanted = _list(name for entry in named for name in entry.resource_names)
    return Mismatch("resources.resourceNames", wanted, _quoted(request.name))


def _user(request: Request) -> str:
    return "no known user" if request.user is None else _quoted(request.user)


def _plain_resource(request: Request) -> str:
    return f"{request.resource}/{request.subresource}" if request.subresource else request.resource


def _resource(request: Request) -> str:
    group = f" of group {request.api_group}" if request.api_group else " of the core group"
    return _plain_resource(request) + group


def _entries(entries: tuple[GroupResources, ...]) -> str:
    return _list(pattern for entry in entries for pattern in entry.resources or (f"all of {entry.group or 'core'}",))


def _list(values: Iterable[str]) -> str:
    words = list(dict.fromkeys(values))
    return f"[{', '.join(_quoted(word) for word in words)}]"


def _quoted(text: str) -> str:
    return f'"{text}"'
