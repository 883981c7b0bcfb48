"""Which requests have a body that an audit event can hold, and which answers do.

This is the one judge of that, for lint and for `cis`. At level Request an event holds the request's body, at
RequestResponse the answer's body too (`LogRequestObject`, `LogResponseObject`,
`k8s.io/apiserver/pkg/audit/request.go`). Reads send nothing. A stream answers a watch, and only its status is recorded.
A session has no object at all.
"""

from __future__ import annotations

from collections.abc import Iterable

from auditlog.policy.evaluate import decision_of
from auditlog.policy.model import GroupResources, Level, Policy, PolicyRule, Stage
from auditlog.policy.partition import RESOURCE_VERBS, AxisName, Target, Value, outcomes_of, partition

SENT_VERBS = ("create", "update", "patch")
"""Verbs whose request has the object, or a part of it, in it."""

DELETE_VERBS = ("delete", "deletecollection")
"""Verbs whose request has options in it, and no object."""

ANSWERED_VERBS = tuple(verb for verb in RESOURCE_VERBS if verb != "watch")
"""Verbs whose answer has objects in it; that to a delete has them while finalizers are left."""

SESSIONS = frozenset({"exec", "attach", "portforward", "proxy"})
"""Subresources that open a connection, and have no body."""

_TOKEN = "serviceaccounts/token"  # noqa: S105 - a resource, whose request names audiences and whose answer is the token
_NEVER_STORED_GROUPS = frozenset({"authentication.k8s.io", "authorization.k8s.io"})
_NEVER_STORED = frozenset({("", "bindings", ""), ("", "pods", "binding"), ("", "pods", "eviction")})


def credential_questions(group: str, resource: str) -> tuple[PolicyRule, ...]:
    """The requests for a resource that holds credentials, each with the level from which on the event holds them too.

    The first one that matches a request counts.
    """
    entry = (GroupResources(group, (resource,)),)
    answered = PolicyRule(Level.REQUEST_RESPONSE, verbs=ANSWERED_VERBS, resources=entry)
    if resource == _TOKEN:
        return (answered,)
    return (PolicyRule(Level.REQUEST, verbs=SENT_VERBS, resources=entry), answered)


def rules_with_credentials(policy: Policy, group: str, resource: str) -> tuple[int, ...]:
    """The rules that put bodies of the resource into the log.

    A ConfigMap that a rule names is left out: whoever names it knows what is in it.
    """
    questions = credential_questions(group, resource)
    found = outcomes_of(partition((policy, questions)).resources, {AxisName.TARGET: _is_open_or_secret})
    return tuple(
        sorted(
            index
            for index, matched in found
            if index is not None and matched is not None and _writes(policy, index, questions[matched].level)
        )
    )


def _is_open_or_secret(value: Value) -> bool:
    assert isinstance(value, Target)  # noqa: S101 - the axis holds nothing else
    return value.resource != "configmaps" or not value.is_named


def _writes(policy: Policy, index: int, level: Level) -> bool:
    decision = decision_of(policy, index)
    return decision.level >= level and len(decision.omit_stages) < len(Stage)


def rules_with_lists(policy: Policy) -> tuple[int, ...]:
    """The rules at RequestResponse that decide lists of objects. One that names its object is no list."""

    def is_listed(target: Value) -> bool:
        return _is_stored(target) and isinstance(target, Target) and not target.subresource and not target.is_named

    wanted = {AxisName.VERB: ("list",).__contains__, AxisName.TARGET: is_listed}
    found = outcomes_of(partition((policy,)).resources, wanted)
    return _at_least(policy, Level.REQUEST_RESPONSE, (index for (index,) in found))


def rules_with_managed_fields(policy: Policy) -> tuple[int, ...]:
    """The rules that write objects as they are stored: only those have managedFields."""
    found: set[int] = set()
    for level, verbs in ((Level.REQUEST, SENT_VERBS), (Level.REQUEST_RESPONSE, ANSWERED_VERBS)):
        wanted = {AxisName.VERB: verbs.__contains__, AxisName.TARGET: _is_stored}
        outcomes = outcomes_of(partition((policy,)).resources, wanted)
        found.update(_at_least(policy, level, (index for (index,) in outcomes)))
    return tuple(sorted(found))


def rules_without_any_body(policy: Policy) -> tuple[int, ...]:
    """The rules at Request and above that decide requests, and none of them has a body that they would write."""
    diagrams = partition((policy,))
    deciding = {index for (index,) in diagrams.outcomes}
    for level, verbs in ((Level.REQUEST, (*SENT_VERBS, *DELETE_VERBS)), (Level.REQUEST_RESPONSE, ANSWERED_VERBS)):
        wanted = {AxisName.VERB: verbs.__contains__, AxisName.TARGET: _is_no_session}
        outcomes = outcomes_of(diagrams.resources, wanted)
        deciding -= set(_at_least(policy, level, (index for (index,) in outcomes)))
    return _at_least(policy, Level.REQUEST, deciding)


def _at_least(policy: Policy, level: Level, indices: Iterable[int | None]) -> tuple[int, ...]:
    return tuple(sorted({index for index in indices if index is not None and policy.rules[index].level >= level}))


def _is_no_session(target: Value) -> bool:
    return isinstance(target, Target) and target.subresource not in SESSIONS


def _is_stored(target: Value) -> bool:
    """Whether it is an object; reviews, bindings and sessions the server answers and forgets."""
    assert isinstance(target, Target)  # noqa: S101 - the axis holds nothing else
    if target.group in _NEVER_STORED_GROUPS or target.subresource in (*SESSIONS, "token"):
        return False
    return (target.group, target.resource, target.subresource) not in _NEVER_STORED
