"""Decides whether an empty answer means that nothing happened, by the policy, the nodes and the log itself.

"Certainly none" needs all of this, and the outcome names whatever is missing:

- The policy is known, and records every request that the question looks for, whoever sends it
  (`auditlog.policy.recording`). No event in the log contradicts it.
- The number of control-plane nodes is known, and each node's log is at hand.
- Every log reaches over the time, is whole, has no step back in time, and is never silent for longer than a minute. A
  longer silence may be a quiet time or a missing file, and nothing in the log shows which.

Without the policy, the log shows only which requests it has, not which it would have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from auditlog.events.coverage import SILENCE, Coverage, NodeCoverage
from auditlog.events.evidence import FEWEST_BEATS, HEARTBEAT, Evidence, records_heartbeat
from auditlog.events.in_force import PolicyHistory
from auditlog.events.layout import listed, when
from auditlog.events.outcome import Cause, Doubt, Outcome, outcome
from auditlog.events.policy_doubts import contradictions, history_doubts, policy_doubts
from auditlog.events.questions.common import Answer
from auditlog.events.questions.silence import GapsAnswer
from auditlog.events.reading import Damage
from auditlog.policy.model import GroupResources, Level, Policy, PolicyRule
from auditlog.policy.recording import Need
from auditlog.policy.write import rules_text

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_NAMED = 3
"""How many times without events are named."""

HEARTBEAT_RULE = PolicyRule(
    Level.METADATA,
    users=("system:apiserver",),
    verbs=("update",),
    resources=(GroupResources("coordination.k8s.io", ("leases",)),),
    namespaces=("kube-system",),
)
"""Records each API server's renewal of its own lease, every ten seconds."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about the cluster from other sources than its logs."""

    policy: Policy | None = None
    """The policy in force; None if it is not named."""
    nodes: int | None = None
    """How many control-plane nodes there are; None if it is not known."""
    node_names: tuple[str, ...] = ()
    """Their names, if known."""
    history: PolicyHistory | None = None
    """Which policies were in force when. It takes precedence over `policy`."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know about it."""
        return self.history.complaints if self.history else ()


@dataclass(frozen=True, slots=True)
class Material:
    """What an answer was read from."""

    evidence: Evidence
    """What the log says about itself."""
    empty_nodes: tuple[str, ...] = ()
    """Nodes whose log has no event, or that a store knows from before."""
    damage: Damage = Damage()  # noqa: RUF009 - immutable
    """What could not be read."""
    clusters: tuple[str, ...] = ()
    """The clusters whose events a store has, if several were asked for."""


def judge(answer: Answer, need: Need, known: Known, material: Material) -> Outcome:
    """The outcome of a question that looks for the requests of `need`."""
    coverage = answer.coverage
    first, last = _span(coverage, material.evidence)
    doubts = (
        *_of_policies(need, known, coverage, material.evidence),
        *answer.doubts,
        *_node_doubts(coverage, known, material),
        *_time_doubts(coverage, material),
        *_silence_doubts(coverage, known, material.evidence),
    )
    return outcome(answer.found, doubts, first, last)


def _of_policies(need: Need, known: Known, coverage: Coverage, evidence: Evidence) -> Iterator[Doubt]:
    if known.history is not None:
        return history_doubts(need, known.history, coverage, evidence)
    return policy_doubts(need, known.policy, coverage, evidence)


def judge_gaps(answer: GapsAnswer, known: Known, material: Material) -> Outcome:
    """The outcome of the question for gaps. A silence is a gap only if something is written all the time."""
    coverage, evidence = answer.coverage, material.evidence
    first, last = _span(coverage, material.evidence)
    too_short = answer.threshold_seconds < 1.5 * HEARTBEAT.total_seconds()
    gaps = [gap for gap in answer.gaps if not too_short and _has_heartbeat(gap.node, known, evidence)]
    silent = [node for node in coverage.nodes if any(gap.node == node.node and gap not in gaps for gap in answer.gaps)]
    doubts = (
        *contradictions(known.policy, evidence),
        *([_too_short(answer)] if too_short and answer.gaps else [_quiet(node) for node in silent]),
        *_silences_over_the_ends(coverage, evidence),
        *_node_doubts(coverage, known, material),
        *_time_doubts(coverage, material),
    )
    return outcome(bool(gaps), doubts, first, last)


def _span(coverage: Coverage, evidence: Evidence) -> tuple[datetime | None, datetime | None]:
    """The time over which the log of every node reaches."""
    if not coverage.nodes:
        return None, None
    since, until = coverage.asked.since, coverage.asked.until
    first = max(since if since is not None and each.node in evidence.before else each.first for each in coverage.nodes)
    last = min(until if until is not None and each.node in evidence.after else each.last for each in coverage.nodes)
    return first, last


def _node_doubts(coverage: Coverage, known: Known, material: Material) -> Iterator[Doubt]:
    seen = sorted(node.node for node in coverage.nodes)
    if len(material.clusters) > 1:
        yield Doubt(
            Cause.NODES,
            f"the events are of {len(material.clusters)} clusters: {listed(material.clusters, 'and')}",
            "--cluster names one",
        )
        return
    for node in material.empty_nodes:
        yield Doubt(Cause.NODES, f"the log of {node} has no event")
    # A store names a node with its cluster in front.
    names = {node.rpartition("/")[2] for node in seen}
    missing = [name for name in known.node_names if name not in names]
    if known.nodes is None:
        if not seen:
            return
        looked_at = f"only {listed(seen, 'and')} was looked at" if len(seen) == 1 else f"{len(seen)} logs were read"
        yield Doubt(
            Cause.NODES,
            f"how many control-plane nodes there are is not known: {looked_at}",
            "give their number with --nodes or --stack. Each API server logs only what it answered itself",
        )
        return
    known_by_name = bool(missing) and not names.isdisjoint(known.node_names)
    advice = "Give the log of every node. Each API server logs only what it answered itself"
    if len(seen) < known.nodes:
        named = f": {listed(missing, 'and')} is missing" if known_by_name else ""
        yield Doubt(Cause.NODES, f"there are events of {len(seen)} of {known.nodes} control-plane nodes{named}", advice)
    elif known_by_name:
        yield Doubt(Cause.NODES, f"there is no event of {listed(missing, 'and')}", advice)


def _time_doubts(coverage: Coverage, material: Material) -> Iterator[Doubt]:
    first, last = _span(coverage, material.evidence)
    if first is None or last is None:
        yield Doubt(Cause.TIME, "the logs have no event of this time")
    elif first > last:
        yield Doubt(Cause.TIME, "the logs of the nodes have no time in common")
    for part in coverage.uncovered[:_NAMED]:
        start = when(part.start) if part.start else "the beginning"
        end = when(part.end) if part.end else "the end"
        yield Doubt(Cause.TIME, f"{part.node} has no event from {start} to {end}", "Give its rotated files too")
    if len(coverage.uncovered) > _NAMED:
        yield Doubt(Cause.TIME, f"{len(coverage.uncovered) - _NAMED} more parts of the time have no event")
    for node, step in sorted(material.evidence.steps_back.items()):
        yield Doubt(
            Cause.CLOCK,
            f"the times in the log of {node} go back by {_length(step)}: its clock was set, or files overlap",
        )
    if material.damage.count:
        places = "1 place" if material.damage.count == 1 else f"{material.damage.count} places"
        yield Doubt(Cause.DAMAGE, f"{places} of the logs cannot be read")


def _silence_doubts(coverage: Coverage, known: Known, evidence: Evidence) -> Iterator[Doubt]:
    yield from _silences_over_the_ends(coverage, evidence)
    for node in coverage.nodes:
        if node.longest_silence is None:
            yield from _missed(node.node, evidence)
            continue
        if _has_heartbeat(node.node, known, evidence):
            yield Doubt(
                Cause.SILENCE,
                f"{_silent(node)}, although its API server writes every {HEARTBEAT.seconds} seconds: it was down, or "
                "events are missing",
                "Give its rotated files too; `gaps` names every gap",
            )
        else:
            yield _quiet(node)


def _missed(node: str, evidence: Evidence) -> Iterator[Doubt]:
    """A part that is too short for a silence and too long for the heartbeat."""
    missed = evidence.without_renewal.get(node)
    if missed is not None and evidence.beats[node] >= FEWEST_BEATS:
        yield Doubt(
            Cause.SILENCE,
            f"the API server of {node} did not renew its lease from {when(missed.start)} to {when(missed.end)}, which "
            f"it does every {HEARTBEAT.seconds} seconds: events may be missing",
            "Give its rotated files too",
        )


def _silences_over_the_ends(coverage: Coverage, evidence: Evidence) -> Iterator[Doubt]:
    for node in coverage.nodes:
        before = evidence.before.get(node.node, node.first)
        after = evidence.after.get(node.node, node.last)
        ends = (("beginning", before, node.first), ("end", node.last, after))
        for end, start, stop in ends:
            if stop - start > SILENCE:
                yield Doubt(
                    Cause.SILENCE,
                    f"{node.node} is silent from {when(start)} to {when(stop)}, over the {end} of the time",
                )


def _quiet(node: NodeCoverage) -> Doubt:
    return Doubt(
        Cause.SILENCE,
        f"{_silent(node)}, and nothing shows that anything is recorded all the time: a quiet time looks like a missing "
        "file",
        "To tell them apart from now on, put this in front of the policy's rules",
        remedy=rules_text((HEARTBEAT_RULE,)),
    )


def _silent(node: NodeCoverage) -> str:
    longest = node.longest_silence
    if longest is None:
        return f"{node.node} is silent"
    times = "once" if node.silences == 1 else f"{node.silences} times"
    return (
        f"{node.node} is silent for over {SILENCE.seconds} seconds {times}, at most from {when(longest.start)} to "
        f"{when(longest.end)}"
    )


def _too_short(answer: GapsAnswer) -> Doubt:
    return Doubt(
        Cause.SILENCE,
        f"an API server renews its lease every {HEARTBEAT.seconds} seconds: silences of "
        f"{answer.threshold_seconds:g} seconds are no gaps",
        f"--over {2 * HEARTBEAT.seconds} or more",
    )


def _has_heartbeat(node: str, known: Known, evidence: Evidence) -> bool:
    """Whether silence means something: the policy records what every node does all the time, or the log has it."""
    if known.history is None:
        policies: tuple[Policy, ...] = (known.policy,) if known.policy is not None else ()
    else:
        since, until = evidence.time.since or _FIRST, evidence.time.until or _LAST
        # Where nobody looked, the others decide: that time is named as unknown in any case.
        policies = tuple(policy for period in known.history.within(node, since, until) for policy in period.policies)
    if policies and not evidence.disagreeing and all(map(records_heartbeat, policies)):
        return True
    return evidence.beats[node] >= FEWEST_BEATS


def _length(length: timedelta) -> str:
    return f"{length.total_seconds():.0f} seconds"
