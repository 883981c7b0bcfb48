"""What the policy keeps out of a log: reasons, each with the rule to blame and a rule that would help."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from auditlog.events.coverage import SILENCE, Coverage
from auditlog.events.evidence import Evidence
from auditlog.events.in_force import NO_POLICY, PolicyHistory
from auditlog.events.layout import listed, when
from auditlog.events.outcome import Cause, Doubt, Span
from auditlog.policy.model import Level, Policy, Stage
from auditlog.policy.recording import Hole, Need, Recording, recording
from auditlog.policy.remedy import rules_for
from auditlog.policy.write import rule_in_short, rules_text

_NAMED = 3
"""How many senders a reason names."""

_CONSTANT_VERBS = frozenset({"get", "list", "watch", "create", "update", "patch"})
"""What the control plane of every cluster does all the time."""


def policy_doubts(need: Need, policy: Policy | None, coverage: Coverage, evidence: Evidence) -> Iterator[Doubt]:
    """Why requests of `need` may not be in a log that was written under `policy`. None: the policy is not known."""
    if policy is None:
        yield _unknown_policy(need, coverage, evidence)
        return
    yield from contradictions(policy, evidence)
    found = recording(policy, need)
    for hole in found.holes:
        yield _omitted(policy, need, hole) if hole.omitted else _dropped(policy, need, hole, found)


def history_doubts(need: Need, history: PolicyHistory, coverage: Coverage, evidence: Evidence) -> Iterator[Doubt]:
    """The same for the policies that were in force: which rule, on which node, from when to when."""
    yield from _history_contradictions(evidence)
    spans: dict[Policy, list[Span]] = {}
    unknown: dict[str, list[Span]] = {}
    for node in coverage.nodes:
        since, until = coverage.asked.since or node.first, coverage.asked.until or node.last
        periods = list(history.within(node.node, since, until))
        if not periods:
            unknown.setdefault("it tells no history", []).append(Span(node.node, since, until))
        for period in periods:
            span = Span(node.node, max(period.start or since, since), min(period.end or until, until))
            if period.unknown:
                unknown.setdefault(period.unknown, []).append(span)
            for policy in period.policies:
                _add(spans.setdefault(policy, []), span)
    for reason, where in unknown.items():
        yield Doubt(
            Cause.POLICY_UNKNOWN,
            f"which policy was in force is not known {_spans_text(where)}: {reason}",
            "--policy names it, if you know it otherwise",
            spans=tuple(where),
        )
    for policy, where in spans.items():
        if policy == NO_POLICY:
            yield Doubt(
                Cause.NOT_RECORDED,
                f"the API server had no policy and recorded nothing {_spans_text(where)}",
                spans=tuple(where),
            )
            continue
        found = recording(policy, need)
        for hole in found.holes:
            doubt = _omitted(policy, need, hole) if hole.omitted else _dropped(policy, need, hole, found)
            yield replace(doubt, reason=f"{doubt.reason}; in force {_spans_text(where)}", spans=tuple(where))


def _add(spans: list[Span], span: Span) -> None:
    """Adds a time, or extends the last one if this one continues it."""
    if spans and spans[-1].node == span.node and spans[-1].end == span.start:
        spans[-1] = replace(spans[-1], end=span.end)
    else:
        spans.append(span)


def _spans_text(spans: Sequence[Span]) -> str:
    shown = [f"on {each.node} from {when(each.start)} to {when(each.end)}" for each in spans[:_NAMED]]
    more = [f"{len(spans) - _NAMED} more times"] if len(spans) > _NAMED else []
    return listed([*shown, *more], "and")


def _history_contradictions(evidence: Evidence) -> Iterator[Doubt]:
    if evidence.disagreeing:
        count = "1 event" if evidence.disagreeing == 1 else f"{evidence.disagreeing} events"
        yield Doubt(
            Cause.OTHER_POLICY,
            f"{count} in the log cannot have been written under the policy of that hour: another one was in force, "
            "which nobody saw",
            "Ask about the time before and after it, or name the policy with --policy if you know it otherwise",
        )


def contradictions(policy: Policy | None, evidence: Evidence) -> Iterator[Doubt]:
    """Whether the log was written under another policy."""
    if policy is not None and evidence.disagreeing:
        events = (
            "1 event in the log is" if evidence.disagreeing == 1 else f"{evidence.disagreeing} events in the log are"
        )
        yield Doubt(
            Cause.OTHER_POLICY,
            f"{events} not what {_source(policy)} writes: a part of the log was written under another policy",
            "Name the policy that was in force, and ask about the time after the change",
        )


def _unknown_policy(need: Need, coverage: Coverage, evidence: Evidence) -> Doubt:
    verbs = list(dict.fromkeys(verb for rule in need.rules if rule.level is not Level.NONE for verb in rule.verbs))
    advice = "--policy or --stack names the policy that was in force"
    is_long = any(node.last - node.first > SILENCE for node in coverage.nodes)
    if is_long and verbs and _CONSTANT_VERBS.issuperset(verbs) and evidence.has_none_of(verbs):
        return Doubt(
            Cause.POLICY_UNKNOWN,
            f"the log has no {listed(verbs, 'or')} of anything by anybody, and every control plane sends such "
            "requests all the time: the policy in force drops them",
            f"{advice}. To record {need.what} from now on, put this in front of its rules",
            remedy=rules_text(need.advice),
        )
    return Doubt(
        Cause.POLICY_UNKNOWN,
        f"which policy was in force is not known, and it may drop {need.what}",
        advice,
    )


def _dropped(policy: Policy, need: Need, hole: Hole, found: Recording) -> Doubt:
    share = "some " if found.records_some or len(found.holes) > 1 else ""
    requests = f"{share}{need.what}{_by(hole)}"
    remedy = rules_text(rules_for(policy, need, hole))
    if hole.rule is None:
        return Doubt(
            Cause.NOT_RECORDED,
            f"no rule of {_source(policy)} matches {requests}: what matches no rule is dropped",
            "To record them, put this behind the last rule",
            remedy=remedy,
        )
    number = hole.rule + 1
    return Doubt(
        Cause.NOT_RECORDED,
        f"rule {number} of {_source(policy)} drops {requests}",
        f"To record them, put this in front of rule {number}",
        number,
        rule_in_short(policy.rules[hole.rule]),
        remedy,
    )


def _omitted(policy: Policy, need: Need, hole: Hole) -> Doubt:
    stages = [stage.value for stage in Stage if stage in hole.omitted]
    number = None if hole.rule is None else hole.rule + 1
    by_policy = hole.omitted & frozenset(policy.omit_stages)
    where = "the policy" if by_policy else f"rule {number}"
    at_start = Stage.RESPONSE_STARTED in hole.omitted and Stage.RESPONSE_COMPLETE not in hole.omitted
    which = "requests that are still open or whose authentication failed among " if at_start else ""
    return Doubt(
        Cause.NOT_RECORDED,
        f"rule {number} of {_source(policy)} omits {listed(stages, 'and')}, which hides {which}{need.what}",
        f"Take {listed(stages, 'and')} out of omitStages of {where}",
        number,
        rule_in_short(policy.rules[hole.rule]) if hole.rule is not None else "",
    )


def _by(hole: Hole) -> str:
    """Whose requests it is about, such as `by alice and bob`; "" for everybody's."""
    names = list(dict.fromkeys(map(str, hole.senders)))
    if hole.of_everyone or "other users" in names:
        return ""
    if len(names) > _NAMED + 1:
        names = [*names[:_NAMED], f"{len(names) - _NAMED} others"]
    return f" by {listed(names, 'and')}"


def _source(policy: Policy) -> str:
    return policy.source or "the policy"
