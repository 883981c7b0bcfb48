"""Whether rules of other projects can fire under a policy.

Each alternative of a rule becomes one of our detections (`auditlog.detections.cross_check`). If a rule asks for more
than a policy can distinguish, that part is left out of the requests. Then "none of them is recorded" is certain, and
"all of them are recorded" too. In between it cannot be known.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from auditlog.detections.callers import Callers
from auditlog.detections.cross_check import Sight, cross_check
from auditlog.detections.foreign.rule import Asked, ForeignRule
from auditlog.detections.model import Detection, Events, Requests, Severity
from auditlog.policy.model import NEWEST_MINOR, GroupResources, Policy, Stage
from auditlog.policy.resources import builtin_resources

_MOST = 4
_LONGEST = 200


class Verdict(StrEnum):
    """What is known of a rule under a policy."""

    FIRES = "can fire"
    PARTIAL = "can fire for a part only"
    NEVER = "can never fire"
    UNKNOWN = "cannot be known"


@dataclass(frozen=True, slots=True)
class ForeignFinding:
    """One rule under a policy."""

    rule: ForeignRule
    verdict: Verdict
    reason: str = ""
    missing: tuple[str, ...] = ()
    """Fields that it needs and that are not kept of all it asks for."""
    unseen: tuple[str, ...] = ()
    """Requests, in words, that it asks for and that are not recorded, or not with these fields."""


def check_rules(policy: Policy, rules: Iterable[ForeignRule]) -> tuple[ForeignFinding, ...]:
    """What is known of each rule."""
    return tuple(_check(policy, rule) for rule in rules)


def _check(policy: Policy, rule: ForeignRule) -> ForeignFinding:
    if rule.problem:
        return ForeignFinding(rule, Verdict.UNKNOWN, rule.problem)
    if not rule.asked:
        return ForeignFinding(rule, Verdict.NEVER, "its condition contradicts itself")
    seen = [(asked, *_sight(policy, asked)) for asked in rule.asked]
    lacking = [asked for asked, sight, _ in seen if sight is not Sight.FULL]
    missing = tuple(sorted({name for asked in lacking for name in asked.fields}))
    unseen = tuple(dict.fromkeys(words for _, _, more in seen for words in more))
    if not any(sight.can_fire for _, sight, _ in seen):
        bodies = any(sight is Sight.NO_BODIES for _, sight, _ in seen)
        reason = "what it asks for is recorded without the bodies" if bodies else "what it asks for is not recorded"
        return ForeignFinding(rule, Verdict.NEVER, reason, missing, unseen)
    unknown = sorted({words for asked, sight, _ in seen if sight.can_fire for words in asked.unknown})
    if unknown:
        return ForeignFinding(rule, Verdict.UNKNOWN, f"no field of an audit event: {_some(unknown)}", missing, unseen)
    if not lacking:
        return ForeignFinding(rule, Verdict.FIRES)
    inexact = sorted({words for asked in lacking for words in asked.inexact})
    if inexact and all(asked.inexact for asked, sight, _ in seen if sight.can_fire):
        reason = f"a part is recorded, and whether it is that with {_some(inexact)} depends on more than a policy tells"
        return ForeignFinding(rule, Verdict.UNKNOWN, reason, missing, unseen)
    return ForeignFinding(rule, Verdict.PARTIAL, "", missing, unseen)


def _sight(policy: Policy, asked: Asked) -> tuple[Sight, tuple[str, ...]]:
    source = Events(
        requests=(Requests(_sorted(asked.verbs), _resources(asked), _sorted(asked.namespaces), asked.level),),
        callers=Callers.PEOPLE if asked.by_people else Callers.ANYONE,
        by=(),
        stages=tuple(stage for stage in Stage if stage in asked.stages),
    )
    (finding,) = cross_check(policy, [Detection("foreign", "", Severity.INFO, source, "", "", "")])
    return finding.sight, finding.unseen


def _resources(asked: Asked) -> tuple[GroupResources, ...]:
    """The resources as in a policy: those that Kubernetes has, and by name any other one.

    A subresource that is not asked for may be any, and the resource itself too.
    """
    if asked.resources is None and asked.subresources is None:
        return tuple(GroupResources(group) for group in _sorted(asked.api_groups))
    found: dict[str, list[str]] = {}
    known: set[str] = set()
    for each in builtin_resources(NEWEST_MINOR):
        if asked.resources is not None and each.resource not in asked.resources:
            continue
        if asked.api_groups is None or each.group in asked.api_groups:
            known.add(each.resource)
            for part in ("", *each.subresources):
                if asked.subresources is None or part in asked.subresources:
                    found.setdefault(each.group, []).append(f"{each.resource}/{part}" if part else each.resource)
    for name in _sorted(asked.resources):
        if name not in known:
            parts = ("*",) if asked.subresources is None else _sorted(asked.subresources)
            for group in _sorted(asked.api_groups) or ("*",):
                found.setdefault(group, []).extend(f"{name}/{part}" if part else name for part in parts)
    return tuple(GroupResources(group, tuple(patterns)) for group, patterns in found.items())


def _sorted(values: frozenset[str] | None) -> tuple[str, ...]:
    return tuple(sorted(values or ()))


def _some(words: Sequence[str]) -> str:
    more = [f"{len(words) - _MOST} more"] if len(words) > _MOST else []
    return "; ".join([*words[:_MOST], *more])


def to_text(findings: Sequence[ForeignFinding]) -> str:
    """A line for each rule, and below it what it lacks; a line that counts them."""
    lines = []
    for each in findings:
        lines.append(f"{each.rule.title}: {each.verdict.value}{f': {each.reason}' if each.reason else ''}")
        if each.missing:
            lines.append(f"    needs {', '.join(each.missing)}, which is not kept of all that it asks for")
        shown = [words for words in each.unseen if len(words) <= _LONGEST][:_MOST]
        lines += [f"    {words}" for words in shown]
        if len(each.unseen) > len(shown):
            lines.append(f"    {len(each.unseen) - len(shown)} more kinds of requests are not seen: -o json")
    counts = [f"{sum(each.verdict is verdict for each in findings)} {verdict.value}" for verdict in Verdict]
    return "\n".join([*lines, f"{len(findings)} rules: {', '.join(counts)}", ""])


def to_json(policy: str, findings: Sequence[ForeignFinding]) -> str:
    """An object with one entry for each rule."""
    rules = [
        {
            "title": each.rule.title,
            "verdict": each.verdict.value,
            "reason": each.reason,
            "missing": list(each.missing),
            "unseen": list(each.unseen),
        }
        for each in findings
    ]
    return json.dumps({"policy": policy, "rules": rules}, indent=2, ensure_ascii=False) + "\n"
