"""What a policy lets one know: which detections can fire, which CIS checks hold, which questions have an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.cross_check import Sight, hides, sights
from auditlog.detections.model import Detection, Silence
from auditlog.events.questions import ANONYMOUS_NEED, DEPRECATED_NEED, ESCALATIONS_NEED, secrets_need
from auditlog.policy import cis
from auditlog.policy.model import Level, Policy, PolicyRule
from auditlog.policy.partition import deciders, may_meet
from auditlog.policy.recording import Need, recording


class Area(StrEnum):
    """What may be required to stay as it is."""

    DETECTIONS = "detections"
    CIS = "cis"
    QUESTIONS = "questions"


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known under a policy. The names of detections are ids, those of questions the commands."""

    detections: frozenset[str]
    """Those that can fire, and have no false alarms by the policy."""
    checks: frozenset[str]
    """The CIS checks that hold."""
    questions: frozenset[str]
    """The questions to which "certainly none" can be the answer."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a change takes from it."""

    detections: tuple[str, ...] = ()
    """Those that can fire no more."""
    narrowed: tuple[str, ...] = ()
    """Detections that can fire, and do not see some request that they saw."""
    checks: tuple[str, ...] = ()
    """CIS checks that fail now."""
    questions: tuple[str, ...] = ()
    """Questions that "certainly none" is no answer to any more."""

    @property
    def count(self) -> int:
        """How many things see less."""
        return len(self.detections) + len(self.narrowed) + len(self.checks) + len(self.questions)

    def of(self, area: Area) -> tuple[str, ...]:
        """What is lost for good in one of the areas."""
        return {Area.DETECTIONS: self.detections, Area.CIS: self.checks, Area.QUESTIONS: self.questions}[area]


_QUESTIONS: dict[str, Callable[[], Need]] = {
    "secrets": secrets_need,
    "escalations": lambda: ESCALATIONS_NEED,
    "anonymous": lambda: ANONYMOUS_NEED,
    "deprecated": lambda: DEPRECATED_NEED,
}


@lru_cache(maxsize=4)
def knowledge(policy: Policy) -> Knowledge:
    """Everything that is known under a policy."""
    return Knowledge(
        _firing(policy, DETECTIONS),
        _holding(policy),
        frozenset(name for name, need in _QUESTIONS.items() if not recording(policy, need()).holes),
    )


def lost(old: Policy, new: Policy, rules: Iterable[PolicyRule] = ()) -> Loss:
    """What is known under the old policy and not under the new one, which has `rules` in front of the old one's.

    Whatever no rule meets is not looked at again, unless the stages that are written have changed.
    """
    before, rules = knowledge(old), tuple(rules)
    restaged = old.omit_stages != new.omit_stages
    hidden = frozenset(name for rule in rules for name in narrowed(old, rule))
    asked = [each for each in DETECTIONS if restaged or each.id in hidden or isinstance(each.source, Silence)]
    blind = before.detections & {each.id for each in asked} - _firing(new, asked)
    doubted = [
        name
        for name in sorted(before.questions)
        if (restaged or any(_concerns(name, rule) for rule in rules)) and recording(new, _QUESTIONS[name]()).holes
    ]
    return Loss(
        tuple(sorted(blind)),
        tuple(sorted(hidden & before.detections - blind)),
        tuple(sorted(before.checks - _holding(new))) if restaged or _meet(rules, cis.MUST_BE_RECORDED) else (),
        tuple(doubted),
    )


@lru_cache(maxsize=4096)
def narrowed(policy: Policy, rule: PolicyRule) -> tuple[str, ...]:
    """The detections that do not see some request any more, which they see without the rule in front."""
    return tuple(each.id for each in DETECTIONS if hides(policy, rule, each))


def _firing(policy: Policy, detections: Sequence[Detection]) -> frozenset[str]:
    seen = zip(detections, sights(policy, detections), strict=True)
    return frozenset(each.id for each, sight in seen if sight.can_fire and sight is not Sight.FALSE_ALARMS)


def _holding(policy: Policy) -> frozenset[str]:
    return frozenset(f"{each.control} {each.title}" for each in cis.check(policy, in_words=False) if each.passed)


@lru_cache(maxsize=4096)
def _concerns(question: str, rule: PolicyRule) -> bool:
    """Whether the rule matches a request that the question looks for."""
    asked = _QUESTIONS[question]().rules
    # A need may list every built-in resource: only those of the rule's own API groups are looked at.
    groups = {"*", *(entry.group for entry in rule.resources)}
    near = []
    for each in asked:
        entries = tuple(entry for entry in each.resources if entry.group in groups)
        if entries or not each.resources:
            near.append(replace(each, resources=entries))
    return any(index is not None and near[index].level is not Level.NONE for index in deciders(near, rule))


def _meet(rules: Iterable[PolicyRule], asked: Iterable[PolicyRule]) -> bool:
    return any(may_meet(rule, each) for rule in rules for each in asked)
