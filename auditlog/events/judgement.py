"""Whether an empty answer means that nothing happened: decided from the policy, the nodes and the log itself.

"Certainly none" needs all of this, and the outcome names whatever is missing:

- the policy is known, and records every request that the question looks for, whoever sends it
  (`auditlog.policy.recording`); no event in the log contradicts it;
- how many control-plane nodes there are is known, and each one's log is there;
- every log reaches over the time, is whole, has no step back in time, and is never silent for longer than a minute. A
  longer silence may be a quiet time or a missing file, and nothing in the log tells which.

Without the policy the log can only show which requests it has, and not which it would have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditlog.events.coverage import SILENCE, Coverage, NodeCoverage
from auditlog.events.evidence import FEWEST_BEATS, HEARTBEAT, Evidence, records_heartbeat
from auditlog.events.layout import when
from auditlog.events.outcome import Cause, Doubt, Outcome, outcome
from auditlog.events.questions.common import Answer
from auditlog.events.questions.silence import GapsAnswer
from auditlog.events.reading import Damage
from auditlog.policy.model import GroupResources, Level, Policy, PolicyRule, Stage
from auditlog.policy.recording import Hole, Need, Recording, recording
from auditlog.policy.remedy import rules_for
from auditlog.policy.write import rule_in_short, rule_lines

_NAMED = 3
"""How many senders, or times without events, a reason names."""

_CONSTANT_VERBS = frozenset({"get", "list", "watch", "create", "update", "patch"})
"""What the control plane of every cluster does all the time."""

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
    """What is known of the cluster from elsewhere than its logs."""

    policy: Policy | None = None
    """The policy in force; None where nobody says."""
    nodes: int | None = None
    """How many control-plane nodes there are; None where nobody says."""
    node_names: tuple[str, ...] = ()
    """Their names, where they are known."""


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
    """The clusters whose events a store has, where those of several were asked for."""


def judge(answer: Answer, need: Need, known: Known, material: Material) -> Outcome:
    """The outcome of a question that looks for the requests of `need`."""
    coverage = answer.coverage
    first, last = _span(coverage, material.evidence)
    doubts = (
        *_policy_doubts(need, known.policy, coverage, material.evidence),
        *answer.doubts,
        *_node_doubts(coverage, known, material),
        *_time_doubts(coverage, material),
        *_silence_doubts(coverage, known, material.evidence),
    )
    return outcome(answer.found, doubts, first, last)


def judge_gaps(answer: GapsAnswer, known: Known, material: Material) -> Outcome:
    """The outcome of the question for gaps: a silence is one only where something is written all the time."""
    coverage, evidence = answer.coverage, material.evidence
    first, last = _span(coverage, material.evidence)
    too_short = answer.threshold_seconds < 1.5 * HEARTBEAT.total_seconds()
    gaps = [gap for gap in answer.gaps if not too_short and _has_heartbeat(gap.node, known, evidence)]
    silent = [node for node in coverage.nodes if any(gap.node == node.node and gap not in gaps for gap in answer.gaps)]
    doubts = (
        *_contradictions(known.policy, evidence),
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


def _policy_doubts(need: Need, policy: Policy | None, coverage: Coverage, evidence: Evidence) -> Iterator[Doubt]:
    if policy is None:
        yield _unknown_policy(need, coverage, evidence)
        return
    yield from _contradictions(policy, evidence)
    found = recording(policy, need)
    for hole in found.holes:
        yield _omitted(policy, need, hole) if hole.omitted else _dropped(policy, need, hole, found)


def _contradictions(policy: Policy | None, evidence: Evidence) -> Iterator[Doubt]:
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
            f"the log has no {_listed(verbs, 'or')} of anything by anybody, and every control plane sends such "
            "requests all the time: the policy in force drops them",
            f"{advice}. To record {need.what} from now on, put this in front of its rules",
            remedy=_yaml(need.advice),
        )
    return Doubt(
        Cause.POLICY_UNKNOWN,
        f"which policy was in force is not known, and it may drop {need.what}",
        advice,
    )


def _dropped(policy: Policy, need: Need, hole: Hole, found: Recording) -> Doubt:
    share = "some " if found.records_some or len(found.holes) > 1 else ""
    requests = f"{share}{need.what}{_by(hole)}"
    remedy = _yaml(rules_for(policy, need, hole))
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
        f"rule {number} of {_source(policy)} omits {_listed(stages, 'and')}, which hides {which}{need.what}",
        f"Take {_listed(stages, 'and')} out of omitStages of {where}",
        number,
        rule_in_short(policy.rules[hole.rule]) if hole.rule is not None else "",
    )


def _node_doubts(coverage: Coverage, known: Known, material: Material) -> Iterator[Doubt]:
    seen = sorted(node.node for node in coverage.nodes)
    if len(material.clusters) > 1:
        yield Doubt(
            Cause.NODES,
            f"the events are of {len(material.clusters)} clusters: {_listed(material.clusters, 'and')}",
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
        looked_at = f"only {_listed(seen, 'and')} was looked at" if len(seen) == 1 else f"{len(seen)} logs were read"
        yield Doubt(
            Cause.NODES,
            f"how many control-plane nodes there are is not known: {looked_at}",
            "--nodes or --stack tells how many there are. Each API server logs only what it answered itself",
        )
        return
    known_by_name = bool(missing) and not names.isdisjoint(known.node_names)
    advice = "Give the log of every node. Each API server logs only what it answered itself"
    if len(seen) < known.nodes:
        named = f": {_listed(missing, 'and')} is missing" if known_by_name else ""
        yield Doubt(Cause.NODES, f"there are events of {len(seen)} of {known.nodes} control-plane nodes{named}", advice)
    elif known_by_name:
        yield Doubt(Cause.NODES, f"there is no event of {_listed(missing, 'and')}", advice)


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
        remedy=_yaml((HEARTBEAT_RULE,)),
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
    if known.policy is not None and not evidence.disagreeing and records_heartbeat(known.policy):
        return True
    return evidence.beats[node] >= FEWEST_BEATS


def _by(hole: Hole) -> str:
    """Whose requests, where it is not everybody's."""
    names = list(dict.fromkeys(map(str, hole.senders)))
    if hole.of_everyone or "other users" in names:
        return ""
    if len(names) > _NAMED + 1:
        names = [*names[:_NAMED], f"{len(names) - _NAMED} others"]
    return f" by {_listed(names, 'and')}"


def _source(policy: Policy) -> str:
    return policy.source or "the policy"


def _yaml(rules: Sequence[PolicyRule]) -> str:
    return "\n".join(line for rule in rules for line in rule_lines(rule))


def _listed(words: Sequence[str], last: str) -> str:
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _length(length: timedelta) -> str:
    return f"{length.total_seconds():.0f} seconds"
