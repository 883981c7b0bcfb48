"""What a change of the policy lets a cluster's people find out later, and what it no longer lets them, in their words.

A reviewer asks "will we still know who read a Secret?", not which rule matches which verb. Each `Matter` below is such
a question: requests that must be recorded, at a level, for the answer to be in the log. Every namespace and name in
either policy is tried, so no sentence claims for all what holds for some.

Callers are one of each usual kind, whom no rule names. A rule for one account or group changes what is known about that
one; `auditlog.policy.summary` has it, exactly and in full.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from itertools import product

from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import Decision, Level, Policy, Request, Stage
from auditlog.policy.phrase import groups_of

_ANY = "any-other"
"""An object, namespace or name that no policy mentions."""

_CHANGES = ("create", "update", "patch", "delete", "deletecollection")
_WRITES = ("create", "update", "patch")
_READS = ("get", "list", "watch")
_NAMELESS = frozenset({"create", "list", "watch", "deletecollection"})
_RBAC = "rbac.authorization.k8s.io"


class Known(IntEnum):
    """How much of a matter is in the log."""

    NOTHING = 0
    PART = 1
    ALL = 2


@dataclass(frozen=True, slots=True)
class Caller:
    """One of a usual kind of callers."""

    name: str
    """What a sentence calls the kind."""
    user: str
    """The caller's user name; the groups are those that this name brings."""


PEOPLE = Caller("people", _ANY)
WORKLOADS = Caller("workloads", f"system:serviceaccount:{_ANY}:{_ANY}")
STRANGERS = Caller("unauthenticated callers", "system:anonymous")
_BOTH = (PEOPLE, WORKLOADS)


@dataclass(frozen=True, slots=True)
class Matter:
    """One thing to know of a cluster afterwards."""

    sentence: str
    """What is known, as it follows "from now on the log shows"."""
    targets: tuple[tuple[str, str], ...]
    """API group and resource, with a subresource after a slash."""
    verbs: tuple[str, ...]
    """The verbs of the requests."""
    level: Level = Level.METADATA
    """The least level at which it is known."""
    callers: tuple[Caller, ...] = _BOTH
    """Who sends the requests."""
    cluster_scoped: bool = False
    """Whether the objects are in no namespace."""


MATTERS = (
    Matter("who read a Secret", (("", "secrets"),), _READS),
    Matter("who changed a Secret", (("", "secrets"),), _CHANGES),
    Matter(
        "who opened a shell, a port or a proxy into a workload",
        tuple(("", name) for name in ("pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy")),
        ("get", "create"),
    ),
    Matter("who issued a service account's token", (("", "serviceaccounts/token"),), ("create",)),
    Matter("who changed roles and bindings", ((_RBAC, "roles"), (_RBAC, "rolebindings")), _CHANGES),
    Matter(
        "who changed cluster-wide roles and bindings",
        ((_RBAC, "clusterroles"), (_RBAC, "clusterrolebindings")),
        _CHANGES,
        cluster_scoped=True,
    ),
    Matter(
        "what a role or binding was changed to",
        ((_RBAC, "roles"), (_RBAC, "rolebindings")),
        _WRITES,
        Level.REQUEST,
    ),
    Matter(
        "who changed a workload",
        (("", "pods"), ("apps", "deployments"), ("apps", "daemonsets"), ("apps", "statefulsets"), ("batch", "jobs")),
        _CHANGES,
    ),
    Matter(
        "what a workload was changed to",
        (("", "pods"), ("apps", "deployments"), ("apps", "daemonsets"), ("apps", "statefulsets"), ("batch", "jobs")),
        _WRITES,
        Level.REQUEST,
    ),
    Matter("who changed a ConfigMap or a Service", (("", "configmaps"), ("", "services")), _CHANGES),
    Matter("who changed any other object", ((_ANY, _ANY),), _CHANGES),
    Matter("who read any other object", (("", "pods"), ("", "configmaps"), (_ANY, _ANY)), _READS),
    Matter(
        "what unauthenticated callers asked for",
        (("", "pods"), ("", "secrets"), (_ANY, _ANY)),
        (*_READS, *_CHANGES),
        callers=(STRANGERS,),
    ),
)
"""In the order of the sentences: what matters most first."""


@dataclass(frozen=True, slots=True)
class KnowledgeChange:
    """What comes to be known, and what ceases to be; each a sentence without its end."""

    gained: tuple[str, ...]
    """Known from now on, in whole or in a larger part."""
    lost: tuple[str, ...]
    """Known until now."""


NOTHING_RECORDED = Policy(rules=())
"""The policy of an API server without one."""


@cache  # the nodes of a cluster mostly have the same policy
def knowledge_change(old: Policy, new: Policy) -> KnowledgeChange:
    """What the new policy lets one find out that the old one did not, and the other way round."""
    tried = _Tried.of((old, new))
    gained, lost = list[str](), list[str]()
    for matter in MATTERS:
        changes: dict[tuple[Known, Known], list[str]] = {}
        for caller in matter.callers:
            before, after = (_known(policy, matter, caller, tried) for policy in (old, new))
            if before is not after:
                changes.setdefault((before, after), []).append(caller.name)
        for (before, after), callers in changes.items():
            (gained if after > before else lost).append(_sentence(matter, callers, before, after))
    return KnowledgeChange(tuple(gained), tuple(lost))


def _sentence(matter: Matter, callers: Sequence[str], before: Known, after: Known) -> str:
    by = "" if len(callers) == len(matter.callers) else f" ({' and '.join(callers)})"
    if after is Known.ALL and before is Known.PART:
        share = ", in every case (was in some)"
    elif after is Known.PART:
        share = ", in some cases only" if before is Known.ALL else ", in some cases"
    else:
        share = ""
    return f"{matter.sentence}{by}{share}"


@dataclass(frozen=True, slots=True)
class _Tried:
    """Every namespace and object name that a policy mentions, and one that it does not."""

    namespaces: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, policies: Sequence[Policy]) -> _Tried:
        rules = [rule for policy in policies for rule in policy.rules]
        namespaces = {name for rule in rules for name in rule.namespaces if name}
        names = {name for rule in rules for entry in rule.resources for name in entry.resource_names if name}
        return cls((*sorted(namespaces), _ANY), (*sorted(names), _ANY))


def _known(policy: Policy, matter: Matter, caller: Caller, tried: _Tried) -> Known:
    answers = {_is_known(evaluate(policy, request), matter.level) for request in _requests(matter, caller, tried)}
    return Known.PART if len(answers) == 2 else Known.ALL if True in answers else Known.NOTHING


def _is_known(decision: Decision, level: Level) -> bool:
    """Whether the event with the outcome is written at this level or a higher one."""
    return decision.level >= level and Stage.RESPONSE_COMPLETE not in decision.omit_stages


def _requests(matter: Matter, caller: Caller, tried: _Tried) -> Iterator[Request]:
    groups = groups_of(caller.user)
    namespaces: Iterable[str] = ("",) if matter.cluster_scoped else tried.namespaces
    for (group, whole), verb, namespace in product(matter.targets, matter.verbs, namespaces):
        resource, _, subresource = whole.partition("/")
        for name in ("",) if verb in _NAMELESS and not subresource else tried.names:
            yield Request(
                caller.user,
                groups,
                verb,
                api_group=group,
                resource=resource,
                subresource=subresource,
                namespace=namespace,
                name=name,
            )
