"""Which detections a policy makes blind.

A detection becomes a second policy, whose rules ask for the level that it needs. The exact partition of all requests by
the two then shows for each request whether enough is recorded. No example is tried out, so "sees all" always holds for
all.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from enum import StrEnum

from auditlog.detections.annotated import Form, forms
from auditlog.detections.callers import Callers, other_callers, required_group
from auditlog.detections.model import Detection, Events, Metrics, Requests, Silence, Unannotated, Volume
from auditlog.policy.evaluate import decision_of, evaluate
from auditlog.policy.model import Decision, GroupResources, Level, Policy, PolicyRule, Request, Stage
from auditlog.policy.partition import AxisName, Outcome, deciders, may_meet, partition
from auditlog.policy.region_text import describe, verbs, what, where
from auditlog.policy.regions import Region, regions

HEARTBEAT = Request(
    user="system:apiserver",
    groups=("system:authenticated", "system:masters"),
    verb="update",
    api_group="coordination.k8s.io",
    resource="leases",
    namespace="kube-system",
    name="apiserver-heartbeat",
)
"""Every API server renews its own lease every ten seconds, through itself (kubernetes, controlplane/apiserver):
the one request that each node has for certain. Its real name is `apiserver-` and a hash.
"""


class Sight(StrEnum):
    """What a detection sees under a policy."""

    FULL = "sees all"
    PARTIAL = "sees a part"
    NO_BODIES = "lacks bodies"
    """All that it looks for is recorded, or a part of it, but never with what it looks at: it cannot fire."""
    BLIND = "sees nothing"
    FALSE_ALARMS = "has false alarms"
    """Silence is taken for a fault, and the policy makes silence usual."""
    UNNEEDED = "is off without annotations"
    INDEPENDENT = "needs no events"

    @property
    def can_fire(self) -> bool:
        """Whether it can fire at all when it should."""
        return self not in (Sight.NO_BODIES, Sight.BLIND)


@dataclass(frozen=True, slots=True)
class Finding:
    """One detection under a policy.

    `unseen`: requests, in words, that it should see and does not. `unseen_forms`: forms of them that it never sees.
    `fires_by`: what it can tell its requests by, where it looks for more than that they were made.
    """

    detection: Detection
    sight: Sight
    unseen: tuple[str, ...] = ()
    unseen_forms: tuple[str, ...] = ()
    fires_by: tuple[Form, ...] = ()


def cross_check(
    policy: Policy, detections: Iterable[Detection], written: Set[str] = frozenset()
) -> tuple[Finding, ...]:
    """What each detection sees under the policy, in the order of `detections`.

    `written` are the keys that annotations write (`auditlog.detections.annotated.written_keys`): none without them.
    """
    return tuple(_check(policy, detection, written, in_words=True) for detection in detections)


def sights(policy: Policy, detections: Iterable[Detection], written: Set[str] = frozenset()) -> tuple[Sight, ...]:
    """`cross_check` without the requests in words, which over many users and namespaces take seconds."""
    return tuple(_check(policy, detection, written, in_words=False).sight for detection in detections)


def hides(policy: Policy, rule: PolicyRule, detection: Detection) -> bool:
    """Whether a rule in front of the policy's own hides a request from the detection, which sees it without."""
    source = detection.source
    if not isinstance(source, Events):
        return False
    concerned = [each for each in source.requests if may_meet(rule, _rule(each, ()))]
    if not concerned:
        return False
    # Only requests that the rule matches can be hidden by it: other rules of the policy say nothing about them.
    meeting = replace(policy, rules=tuple(each for each in policy.rules if may_meet(each, rule)))
    others = other_callers(source.callers, (rule, *meeting.rules))
    asked = (*others, *(_rule(each, required_group(source.callers)) for each in concerned))
    after = decision_of(replace(policy, rules=(rule,)), 0)
    for before, matched, wanted in partition((meeting, (rule,), asked)).outcomes:
        needed = Level.NONE if matched is None or wanted is None else asked[wanted].level
        if needed is Level.NONE or _shows(after, needed, source.stages):
            continue
        if _shows(decision_of(meeting, before), needed, source.stages):
            return True
    return False


def remedies(findings: Iterable[Finding]) -> tuple[tuple[Detection, PolicyRule], ...]:
    """Rules, in front of the policy's own, under which every detection can fire and silence is a fault.

    The fullest levels come first, since the first match decides; what they already record is not asked for again. The
    rules hold for all authenticated callers: a policy cannot say "all but the control plane". Detections that see a
    part are left alone, as for many of them a part is what an operator wants to pay for.
    """
    asked = [
        (finding.detection, rule)
        for finding in findings
        if not finding.sight.can_fire or finding.sight is Sight.FALSE_ALARMS
        for rule in _remedy(finding.detection)
    ]
    asked.sort(key=lambda each: -each[1].level.rank)
    chosen: list[tuple[Detection, PolicyRule]] = []
    for detection, rule in asked:
        if None in deciders([earlier for _, earlier in chosen], rule):
            chosen.append((detection, rule))
    return tuple(chosen)


def _remedy(detection: Detection) -> tuple[PolicyRule, ...]:
    source = detection.source
    if isinstance(source, Silence):
        beat = GroupResources(HEARTBEAT.api_group, (HEARTBEAT.resource,))
        return (
            PolicyRule(
                Level.METADATA,
                users=(str(HEARTBEAT.user),),
                verbs=(HEARTBEAT.verb,),
                resources=(beat,),
                namespaces=(HEARTBEAT.namespace,),
            ),
        )
    if isinstance(source, Events):
        return tuple(_rule(each, required_group(source.callers)) for each in source.requests)
    return ()


_BEST = (Sight.FULL, Sight.PARTIAL, Sight.NO_BODIES, Sight.BLIND)


def _check(policy: Policy, detection: Detection, written: Set[str], *, in_words: bool) -> Finding:
    source = detection.source
    if isinstance(source, Metrics | Volume):
        return Finding(detection, Sight.INDEPENDENT)
    if isinstance(source, Unannotated):
        return Finding(detection, Sight.FULL if written else Sight.UNNEEDED)
    if isinstance(source, Silence):
        beats = _shows(evaluate(policy, HEARTBEAT), Level.METADATA, (Stage.RESPONSE_COMPLETE,))
        unseen = () if beats else ("system:apiserver: update of its own lease in namespace kube-system: not recorded",)
        return Finding(detection, Sight.FULL if beats else Sight.FALSE_ALARMS, unseen)
    if source.annotated is None:
        return _check_events(policy, detection, source, in_words=in_words)
    found = {
        form: _check_events(policy, detection, events, in_words=in_words)
        for form, events in forms(source, written).items()
    }
    best = min(found.values(), key=lambda each: (_BEST.index(each.sight), len(each.unseen_forms)))
    return replace(best, fires_by=tuple(form for form, each in found.items() if each.sight.can_fire))


def _check_events(whole: Policy, detection: Detection, source: Events, *, in_words: bool) -> Finding:
    policy = _concerned(whole, source)
    others = other_callers(source.callers, policy.rules)
    asked = (*others, *(_rule(each, required_group(source.callers)) for each in source.requests))

    def lack(outcome: Outcome) -> str | None:
        """What is missing of the requests that an outcome stands for; None when they are not asked for or are seen."""
        if outcome[1] is None or asked[outcome[1]].level is Level.NONE:
            return None
        decision, needed = decision_of(policy, outcome[0]), asked[outcome[1]].level
        if _shows(decision, needed, source.stages):
            return None
        if not _shows(decision, Level.METADATA, source.stages):
            return "not recorded"
        return f"{decision.level.value} only, {needed.value} is needed"

    outcomes = [
        outcome
        for outcome in partition((policy, asked)).outcomes
        if outcome[1] is not None and asked[outcome[1]].level is not Level.NONE
    ]
    lacks = {outcome: lack(outcome) for outcome in outcomes}
    if not any(lacks.values()):
        return Finding(detection, Sight.FULL, (), source.unseen)
    found = regions((policy, asked), lack) if in_words else ()
    unseen = tuple(f"{_words(region, source.callers, others)}: {region.label}" for region in found)
    if not all(lacks.values()):
        return Finding(detection, Sight.PARTIAL, unseen, source.unseen)
    blind = all(each == "not recorded" for each in lacks.values())
    return Finding(detection, Sight.BLIND if blind else Sight.NO_BODIES, unseen, source.unseen)


def _concerned(policy: Policy, source: Events) -> Policy:
    """The policy without rules that cannot match what the detection asks for: a smaller partition, the same answer."""
    questions = [_rule(each, ()) for each in source.requests]
    return replace(
        policy, rules=tuple(rule for rule in policy.rules if any(may_meet(rule, each) for each in questions))
    )


def _words(region: Region, callers: Callers, others: tuple[PolicyRule, ...]) -> str:
    """The requests of a region; where it has all the callers of the detection, they are called what they are."""
    other_users = {user for rule in others for user in rule.users}
    other_groups = {group for rule in others for group in rule.user_groups}
    left_out = region.universe[AxisName.USER] - region.values[AxisName.USER] - {None}
    membership = region.membership
    has_all = (
        left_out <= other_users
        and membership.none_of <= other_groups
        and all(groups.issuperset(required_group(callers)) for groups in membership.one_of)
    )
    return f"{callers.value}: {verbs(region)} of {what(region)}{where(region)}" if has_all else describe(region)


def _rule(requests: Requests, groups: tuple[str, ...]) -> PolicyRule:
    return PolicyRule(
        requests.level,
        user_groups=groups,
        verbs=requests.verbs,
        resources=requests.resources,
        namespaces=requests.namespaces,
    )


def _shows(decision: Decision, needed: Level, stages: tuple[Stage, ...]) -> bool:
    """Whether an event is written at one of the stages, with what the level stands for."""
    return decision.level >= needed and any(stage not in decision.omit_stages for stage in stages)
