"""The changes that may be tried on a policy: what to drop, what to lower, which body annotations say too.

Every step is about one program's requests for one resource, or about bodies that annotations repeat, or about stages.
None drops a change that somebody decided on: what is dropped are reads, and writes that repeat all the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeVar

from auditlog.annotations.model import Entry as Annotations
from auditlog.annotations.model import Operation
from auditlog.detections.model import READS, WRITES
from auditlog.events.event import dotted
from auditlog.events.kinds import NODES, Kind
from auditlog.policy.evaluate import decision_of, resource_matches
from auditlog.policy.model import GroupResources, Level, Policy, PolicyRule, Stage
from auditlog.policy.partition import deciders
from auditlog.policy.senders import CONTROL_PLANE


class What(Enum):
    """What a step does. The value is the knowledge that one event loses by it; 1 is a program's whole event."""

    STAGE = 0.01
    """The event at the start of a request goes; the one at its end stays."""
    ANNOTATED = 0.1
    """The body goes; annotations say what matters of it."""
    ANSWER = 0.3
    """The body of the answer goes; that of the request stays."""
    BODY = 0.5
    """Bodies go; who did what to what stays."""
    ROUTINE = 0.8
    """Writes go that repeat all the time and carry no decision of anyone."""
    CONTROL_PLANE_READ = 0.9
    """Reads of Kubernetes' own components go."""
    READ = 1.0
    """Reads of a workload go."""


BODIES = frozenset({What.ANNOTATED, What.ANSWER, What.BODY})
"""What lowers a level, so that bodies go and the event stays."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change. `rule` goes in front of the policy's own rules; None: `omit` is added to the policy's omitStages.

    `annotations` names the entries of the catalogue that say what the body said.
    """

    what: What
    rule: PolicyRule | None = None
    omit: tuple[Stage, ...] = ()
    annotations: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """Puts steps in an order that is the same in every run."""
        rule = self.rule
        if rule is None:
            return (self.what.name,)
        entry = rule.resources[0]
        return (self.what.name, *rule.users, *rule.user_groups, entry.group, *entry.resources, *rule.verbs, rule.level)

    @property
    def requests(self) -> tuple[object, ...]:
        """Which requests it is about: equal for the steps that may stand for each other."""
        rule = self.rule
        return (self.omit,) if rule is None else (rule.users, rule.user_groups, rule.verbs, rule.resources)

    def __str__(self) -> str:
        """`drop get and list of pods by alice`."""
        rule = self.rule
        if rule is None:
            return f"omit stage {' and '.join(self.omit)}"
        what = f"{', '.join(rule.verbs)} of {', '.join(names_of(rule))}"
        whose = f" by {', '.join((*rule.users, *rule.user_groups))}" if rule.users or rule.user_groups else ""
        return f"drop {what}{whose}" if rule.level is Level.NONE else f"lower {what}{whose} to {rule.level}"


@dataclass(frozen=True, slots=True)
class Routine:
    """Writes that go on in every cluster at all times. `subresource` with any resource where `resource` is `*`."""

    verbs: tuple[str, ...]
    group: str
    pattern: str


ROUTINE = (
    Routine(WRITES, "coordination.k8s.io", "leases"),
    Routine(WRITES, "", "events"),
    Routine(WRITES, "events.k8s.io", "events"),
    Routine(("update", "patch"), "*", "*/status"),
    Routine((*WRITES, "delete"), "", "endpoints"),
    Routine((*WRITES, "delete"), "discovery.k8s.io", "endpointslices"),
    Routine(("create",), "authentication.k8s.io", "tokenreviews"),
    Routine(("create",), "authorization.k8s.io", "subjectaccessreviews"),
)
_CONTROLLERS = "system:serviceaccount:kube-system:"
_OPERATIONS = {
    "create": Operation.CREATE,
    "update": Operation.UPDATE,
    "patch": Operation.UPDATE,
    "delete": Operation.DELETE,
    "deletecollection": Operation.DELETE,
}
_LEVELS_WITH_BODIES = (Level.REQUEST, Level.REQUEST_RESPONSE)


def steps(
    policy: Policy, kinds: Sequence[Kind], programs: Iterable[str], annotations: Sequence[Annotations] = ()
) -> tuple[Step, ...]:
    """Every step that may be tried on kinds that are in the log. `programs` are the callers that are no people.

    `annotations` are the entries that the cluster has. A step that would record more of any request is left out.
    """
    found: dict[tuple[str, ...], Step] = {}
    known = frozenset(programs)
    for targets in _by_target(kinds).values():
        for step in (*_of_programs(targets, known), *_of_annotations(targets, annotations)):
            fitting = _fitted(policy, step)
            if fitting:
                found[fitting.key] = fitting
    if Stage.REQUEST_RECEIVED not in policy.omit_stages and any(each.stage is Stage.REQUEST_RECEIVED for each in kinds):
        step = Step(What.STAGE, omit=(Stage.REQUEST_RECEIVED,))
        found[step.key] = step
    return tuple(found[key] for key in sorted(found))


def changed(policy: Policy, chosen: Iterable[Step]) -> Policy:
    """The policy with the steps' rules, as `joined`, before its own rules, and with the stages that they omit."""
    chosen = tuple(chosen)
    omit = tuple(dict.fromkeys((*policy.omit_stages, *(stage for each in chosen for stage in each.omit))))
    return replace(policy, rules=(*(rule for rule, _ in joined(chosen)), *policy.rules), omit_stages=omit)


def joined(chosen: Iterable[Step]) -> tuple[tuple[PolicyRule, tuple[Step, ...]], ...]:
    """The steps as few rules, each with the steps that it is for: it matches the requests of these and no others.

    Rules that drop stand first, then those that lower a program's level, then those that lower everybody's.
    """
    rules: list[_Joined] = [(each.rule, (each,)) for each in sorted(chosen, key=_order) if each.rule]
    rules = _joined_by(
        rules,
        lambda rule: replace(rule, verbs=()),
        lambda rule, more: replace(rule, verbs=_both(rule.verbs, more.verbs)),
    )
    rules = _joined_by(
        rules,
        lambda rule: replace(rule, resources=()),
        lambda rule, more: replace(rule, resources=_both(rule.resources, more.resources)),
    )
    rules = _joined_by(
        rules,
        lambda rule: replace(rule, users=("some",) if rule.users else ()),
        lambda rule, more: replace(rule, users=_both(rule.users, more.users)),
    )
    return tuple((_grouped(rule), steps) for rule, steps in rules)


_Joined = tuple[PolicyRule, tuple[Step, ...]]
_Each = TypeVar("_Each")


def _joined_by(
    rules: Sequence[_Joined],
    without: Callable[[PolicyRule], PolicyRule],
    join: Callable[[PolicyRule, PolicyRule], PolicyRule],
) -> list[_Joined]:
    """Rules that are equal `without` one of their parts as one."""
    together: dict[tuple[bool, PolicyRule], _Joined] = {}
    for rule, own in rules:
        key = (own[0].what is What.ANNOTATED, without(rule))
        known = together.get(key)
        together[key] = (join(known[0], rule), (*known[1], *own)) if known else (rule, own)
    return list(together.values())


def _both(some: tuple[_Each, ...], more: tuple[_Each, ...]) -> tuple[_Each, ...]:
    return tuple(dict.fromkeys((*some, *more)))


def _grouped(rule: PolicyRule) -> PolicyRule:
    """The resources of one API group in one entry."""
    by_group: dict[str, list[str]] = {}
    for entry in rule.resources:
        by_group.setdefault(entry.group, []).extend(entry.resources)
    return replace(rule, resources=tuple(GroupResources(name, tuple(each)) for name, each in by_group.items()))


def names_of(rule: PolicyRule) -> tuple[str, ...]:
    """The resources of a rule as kubectl writes them."""
    return tuple(
        dotted(resource.partition("/")[0], entry.group, resource.partition("/")[2])
        for entry in rule.resources
        for resource in entry.resources
    )


def _order(step: Step) -> tuple[object, ...]:
    """What records least comes first: the first rule that matches decides."""
    return (step.rule.level.rank if step.rule else 0, step.what is What.ANNOTATED, step.key)


def _by_target(kinds: Sequence[Kind]) -> dict[tuple[str, str, str], list[Kind]]:
    found: dict[tuple[str, str, str], list[Kind]] = {}
    for kind in kinds:
        if kind.resource:
            found.setdefault((kind.api_group, kind.resource, kind.subresource), []).append(kind)
    return found


def _of_programs(kinds: Sequence[Kind], programs: frozenset[str]) -> Iterator[Step]:
    """The steps for one resource, for each program's requests."""
    for caller in sorted({each.caller for each in kinds if each.caller in programs}):
        own = [each for each in kinds if each.caller == caller]
        entry = _entry(own[0])
        reading = What.CONTROL_PLANE_READ if _is_control_plane(caller) else What.READ
        # One step for each verb: where one of them cannot be dropped the others can.
        for verb in sorted({each.verb for each in own}):
            if verb in READS:
                yield Step(reading, _rule(Level.NONE, caller, (verb,), entry))
            if any(verb in each.verbs and _is_routine(each, own[0]) for each in ROUTINE):
                yield Step(What.ROUTINE, _rule(Level.NONE, caller, (verb,), entry))
            if any(each.level in _LEVELS_WITH_BODIES for each in own if each.verb == verb):
                yield Step(What.BODY, _rule(Level.METADATA, caller, (verb,), entry))
            if any(each.level is Level.REQUEST_RESPONSE for each in own if each.verb == verb) and verb not in READS:
                yield Step(What.ANSWER, _rule(Level.REQUEST, caller, (verb,), entry))


def _of_annotations(kinds: Sequence[Kind], annotations: Sequence[Annotations]) -> Iterator[Step]:
    """Bodies of one resource that annotations repeat, whoever sends them."""
    entry = _entry(kinds[0])
    for verb in sorted({each.verb for each in kinds if each.level in _LEVELS_WITH_BODIES and each.verb in _OPERATIONS}):
        names = tuple(
            each.name
            for each in annotations
            if any(
                (request.group, True) == (entry.group, entry.resources[0] in request.resources)
                and _OPERATIONS[verb] in request.operations
                for request in each.requests
            )
        )
        if names:
            yield Step(What.ANNOTATED, _rule(Level.METADATA, "", (verb,), entry), annotations=names)


def _fitted(policy: Policy, step: Step) -> Step | None:
    """The step with the stages that the policy omits of these requests anyway; None where it would record more.

    A rule in front of others decides for requests that they drop, or of which they write less: then there is no step.
    """
    rule = step.rule
    if rule is None or rule.level is Level.NONE:
        return step
    decisions = [decision_of(policy, index) for index in deciders(policy.rules, rule)]
    if any(each.level < rule.level for each in decisions):
        return None
    details = {(each.omit_stages, each.omit_managed_fields) for each in decisions}
    if len(details) != 1:
        return None
    omitted, no_managed_fields = details.pop()
    own = tuple(stage for stage in Stage if stage in omitted and stage not in policy.omit_stages)
    differs = no_managed_fields != policy.omit_managed_fields and rule.level in _LEVELS_WITH_BODIES
    return replace(
        step, rule=replace(rule, omit_stages=own, omit_managed_fields=no_managed_fields if differs else None)
    )


def _rule(level: Level, caller: str, verbs: tuple[str, ...], entry: GroupResources) -> PolicyRule:
    if caller == NODES:
        return PolicyRule(level, user_groups=(NODES,), verbs=verbs, resources=(entry,))
    return PolicyRule(level, users=(caller,) if caller else (), verbs=verbs, resources=(entry,))


def _entry(kind: Kind) -> GroupResources:
    return GroupResources(kind.api_group, (f"{kind.resource}/{kind.subresource}".rstrip("/"),))


def _is_routine(routine: Routine, kind: Kind) -> bool:
    return routine.group in ("*", kind.api_group) and resource_matches(routine.pattern, kind.resource, kind.subresource)


def _is_control_plane(caller: str) -> bool:
    return caller == NODES or caller in CONTROL_PLANE or caller.startswith(_CONTROLLERS)
