"""The search: the steps that lose least for each byte saved, until the log fits its budget.

Steps come in the order of the knowledge that they lose for each byte that they save, the least first. Those that turn
out to be unnecessary are dropped. A step is refused if it loses an event that must stay, or knowledge that is required.
The same log gives the same answer.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from auditlog.annotations.model import Entry as Annotations
from auditlog.events.budget import Budget
from auditlog.events.counting import written
from auditlog.events.kinds import NODES, Entry, Kind, Kinds
from auditlog.policy.evaluate import compile_policy, decision_of, rule_matches
from auditlog.policy.model import Decision, Level, Policy, PolicyRule, Stage
from auditlog.policy.senders import ANONYMOUS
from auditlog.tuning.knowledge import Area, Loss, lost, narrowed
from auditlog.tuning.marks import PERSON, UNKNOWN, is_program
from auditlog.tuning.steps import BODIES, Step, changed, steps

LEAST_SHARE = 0.0005
"""A step that saves less than this share of the bytes is not looked at."""

_EXAMPLES = 3
_PEOPLE = frozenset({PERSON, UNKNOWN})


@dataclass(frozen=True, slots=True)
class NodeKinds:
    """What the log of one node holds: its kinds, and how many days its two parts stand for (0: too short to say)."""

    node: str
    kinds: Kinds
    fitted_days: float
    tried_days: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """What is wanted. `programs` are users that look like people and are none.

    `sizes_bodies` says whether it is known how much of an event is its body; else no level is lowered.
    """

    policy: Policy
    budget: Budget
    required: frozenset[Area] = frozenset(Area)
    programs: frozenset[str] = frozenset()
    annotations: tuple[Annotations, ...] = ()
    sizes_bodies: bool = True


@dataclass(frozen=True, slots=True)
class Saving:
    """A step with what it saves and loses a day, over all nodes, by the part of the log that is fitted on."""

    step: Step
    bytes_per_day: float
    events_per_day: float
    narrowed: tuple[str, ...]
    """Detections that do not see some of these requests any more, and can fire for others."""
    examples: tuple[str, ...]

    @property
    def loss(self) -> float:
        """The knowledge lost a day: each event counts by what it loses, and once more for each thing that sees less."""
        return self.events_per_day * self.step.what.value * (1 + len(self.narrowed))

    @property
    def score(self) -> float:
        """The knowledge lost for each byte saved."""
        return self.loss / self.bytes_per_day

    @property
    def order(self) -> tuple[object, ...]:
        """The best first; the same in every run."""
        return (self.score, -self.bytes_per_day, self.step.key)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A step that may not be taken: what it would save, and why."""

    saving: Saving
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rates:
    """Bytes a day of one node: under the policy in force and under the changed one, in both parts of the log.

    None where a part is too short, or has nothing.
    """

    node: str
    before: float | None
    after: float | None
    tried_before: float | None
    tried_after: float | None


@dataclass(frozen=True, slots=True)
class Blocker:
    """A caller whose events may not be dropped, for it is taken for a person, with the bytes of its events a day."""

    caller: str
    bytes_per_day: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What the search found. `met` says whether every node fits the budget, by the part that was fitted on."""

    tuning: Tuning
    chosen: tuple[Saving, ...]
    policy: Policy
    rates: tuple[Rates, ...]
    met: bool
    loss: Loss
    refused: tuple[Refusal, ...]
    blockers: tuple[Blocker, ...]


def search(tuning: Tuning, nodes: Sequence[NodeKinds]) -> Plan:
    """The smallest change of the policy that was found, or all that may be changed where that is not enough."""
    work = _Work(tuning, nodes)
    allowed, refused = work.candidates()
    state, more = work.without_blinding(work.choose(allowed), allowed)
    state = work.milder(work.without_needless(state), allowed)
    policy = changed(tuning.policy, (each.step for each in state.chosen))
    return Plan(
        tuning,
        tuple(sorted(state.chosen, key=lambda each: each.order)),
        policy,
        work.rates(policy),
        work.fits(state),
        lost(tuning.policy, policy, _rules(state.chosen)),
        tuple(sorted((*refused, *more), key=lambda each: (-each.saving.bytes_per_day, each.saving.step.key))),
        work.blockers(policy),
    )


def losses(policy: Policy, new: Policy, kinds: Iterable[tuple[Kind, Entry]]) -> tuple[str, ...]:
    """The events of the log that must not be lost and that the new policy loses, in words; empty where there are none.

    Both policies are asked by the evaluator. What the policy in force does not keep either is not lost by the new one.
    """
    before, after = compile_policy(policy), compile_policy(new)
    found = []
    for kind, entry in kinds:
        request = entry.sample.request
        reasons = _lost_marks(kind, before(request), after(request))
        if reasons:
            found.append(f"{', '.join(reasons)}: {_in_words(kind, entry)}")
    return tuple(found)


def _lost_marks(kind: Kind, before: Decision, after: Decision) -> list[str]:
    # The event at the start of a request repeats the one at its end, so that its own loss is none.
    repeated = kind.stage is Stage.REQUEST_RECEIVED
    dropped = after.level is Level.NONE or (kind.stage in after.omit_stages and not repeated)
    kept = min(kind.level, before.level, key=lambda level: level.rank)
    return [mark.reason for mark in kind.marks if kept >= mark.level and (dropped or after.level < mark.level)]


@dataclass(frozen=True, slots=True)
class _State:
    """Some steps with what they come to: the decision for each kind, and the bytes of each node's fitted part."""

    chosen: tuple[Saving, ...]
    decisions: Mapping[Kind, Decision]
    sizes: tuple[int, ...]


class _Work:
    """The kinds of all nodes together, and what is asked of them again and again."""

    def __init__(self, tuning: Tuning, nodes: Sequence[NodeKinds]) -> None:
        self.tuning, self.nodes = tuning, nodes
        together = Kinds(most=sum(len(each.kinds.entries) for each in nodes) + 1)
        for each in nodes:
            together.merge(each.kinds)
        self.kinds = together
        self.by_target: dict[tuple[str, str, str], list[tuple[Kind, Entry]]] = {}
        for kind, entry in together.entries.items():
            self.by_target.setdefault((kind.api_group, kind.resource, kind.subresource), []).append((kind, entry))

    def candidates(self) -> tuple[list[Saving], list[Refusal]]:
        """The steps that may be taken, the best first, and those that may not."""
        tuning = self.tuning
        names = {
            kind.caller
            for kind in self.kinds.entries
            if kind.caller and not self.kinds.is_blurred(kind.caller) and self._is_program(kind.caller)
        }
        found = steps(tuning.policy, list(self.kinds.entries), names, tuning.annotations)
        allowed, refused = [], []
        least = LEAST_SHARE * sum(each.before or 0.0 for each in self.rates(tuning.policy))
        complete = not (self.kinds.all_blurred or self.kinds.blurred)
        for step in found:
            if step.what in BODIES and not tuning.sizes_bodies:
                continue
            # What is for a group or for everybody may touch requests that there was no room for.
            if step.rule and not step.rule.users and not complete:
                continue
            size, events = self._saved(step)
            if size <= least:
                continue
            touched = self._touched(step)
            saving = Saving(
                step,
                size,
                events,
                narrowed(tuning.policy, step.rule) if step.rule else (),
                tuple(_in_words(*each) for each in touched[:_EXAMPLES]),
            )
            reasons = self._forbidden((saving,), touched)
            if reasons:
                refused.append(Refusal(saving, reasons[:_EXAMPLES]))
            else:
                allowed.append(saving)
        return sorted(allowed, key=lambda each: each.order), refused

    def choose(self, allowed: Sequence[Saving]) -> _State:
        """As many of the best as it takes; a step that saves nothing beside those that are taken is left out."""
        state = self.unchanged()
        for saving in allowed:
            if self.fits(state):
                break
            candidate = self.moved(state, (*state.chosen, saving), (saving,))
            if sum(candidate.sizes) < sum(state.sizes):
                state = candidate
        return state

    def unchanged(self) -> _State:
        """No step at all."""
        decisions = self._decisions(self.tuning.policy)
        return _State((), decisions, tuple(_size(each, decisions, tried=False) for each in self.nodes))

    def moved(self, state: _State, chosen: Sequence[Saving], by: Iterable[Saving]) -> _State:
        """The state with these steps, which differ from its own `by` some: only what those touch is looked at."""
        decide = compile_policy(changed(self.tuning.policy, (each.step for each in chosen)))
        touched = {kind: entry for each in by for kind, entry in self._touched(each.step)}
        new = {kind: decide(entry.sample.request) for kind, entry in touched.items()}
        sizes = []
        for node, size in zip(self.nodes, state.sizes, strict=True):
            own = ((kind, node.kinds.entries.get(kind)) for kind in touched)
            sizes.append(
                size
                + sum(
                    written(new[kind], kind.level, kind.stage, entry.fitted).bytes
                    - written(state.decisions[kind], kind.level, kind.stage, entry.fitted).bytes
                    for kind, entry in own
                    if entry is not None
                )
            )
        return _State(tuple(chosen), {**state.decisions, **new}, tuple(sizes))

    def without_blinding(self, state: _State, allowed: Sequence[Saving]) -> tuple[_State, list[Refusal]]:
        """The steps without those by which what is required is lost; others take their place."""
        refused: list[Refusal] = []
        while reasons := self._blinds(state.chosen):
            chosen = state.chosen
            # What is lost grows with the steps: the last of the fewest that lose something is the one to leave out.
            fewest = bisect_left(range(len(chosen)), 1, key=lambda count: bool(self._blinds(chosen[: count + 1])))
            refused.append(Refusal(chosen[fewest], reasons))
            gone = {each.saving.step.key for each in refused}
            state = self.choose([each for each in allowed if each.step.key not in gone])
        return state, refused

    def without_needless(self, state: _State) -> _State:
        """Without the steps that others made needless, those that lose most tried first.

        Where nothing is enough, these are the steps that save nothing beside the others.
        """
        met = self.fits(state)
        for saving in sorted(state.chosen, key=lambda each: (-each.loss, each.order)):
            rest = self.moved(state, [each for each in state.chosen if each is not saving], (saving,))
            if self.fits(rest) if met else rest.sizes == state.sizes:
                state = rest
        return state

    def milder(self, state: _State, allowed: Sequence[Saving]) -> _State:
        """Where a step about the same requests that loses less is enough too, that one instead."""
        if not self.fits(state):
            return state
        for saving in sorted(state.chosen, key=lambda each: (-each.loss, each.order)):
            others = [each for each in state.chosen if each is not saving]
            for other in sorted(allowed, key=lambda each: (each.loss, each.order)):
                if other.step.requests != saving.step.requests or other.loss >= saving.loss:
                    continue
                candidate = self.moved(state, [*others, other], (saving, other))
                if self.fits(candidate) and not self._blinds(candidate.chosen):
                    state = candidate
                    break
        return state

    def fits(self, state: _State) -> bool:
        """Whether every node keeps its log for the days of the budget, by the part that is fitted on."""
        most = self.tuning.budget.bytes_per_day
        return all(
            node.fitted_days and size / node.fitted_days <= most
            for node, size in zip(self.nodes, state.sizes, strict=True)
        )

    def rates(self, policy: Policy) -> tuple[Rates, ...]:
        """What the nodes write in a day."""
        old, new = self._decisions(self.tuning.policy), self._decisions(policy)
        return tuple(
            Rates(
                each.node,
                _rate(each, old, tried=False),
                _rate(each, new, tried=False),
                _rate(each, old, tried=True),
                _rate(each, new, tried=True),
            )
            for each in self.nodes
        )

    def blockers(self, policy: Policy) -> tuple[Blocker, ...]:
        """Whoever is taken for a person and still writes, the most bytes first."""
        new = self._decisions(policy)
        found: dict[str, float] = {}
        for node in self.nodes:
            for kind, entry in node.kinds.entries.items():
                reasons = {mark.reason for mark in kind.marks}
                if kind.caller not in ("", ANONYMOUS) and node.fitted_days and not reasons.isdisjoint(_PEOPLE):
                    size = written(new[kind], kind.level, kind.stage, entry.fitted).bytes
                    found[kind.caller] = found.get(kind.caller, 0.0) + size / node.fitted_days
        order = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        return tuple(Blocker(caller, size) for caller, size in order if size)

    def _is_program(self, caller: str) -> bool:
        return caller == NODES or is_program(caller, self.tuning.programs)

    def _decisions(self, policy: Policy) -> Mapping[Kind, Decision]:
        decide = compile_policy(policy)
        return {kind: decide(entry.sample.request) for kind, entry in self.kinds.entries.items()}

    def _touched(self, step: Step) -> list[tuple[Kind, Entry]]:
        """The kinds that a step is about, those with the most bytes first."""
        rule = step.rule
        if rule is None:
            found = [each for each in self.kinds.entries.items() if each[0].stage in step.omit]
        else:
            entry = rule.resources[0]
            resource, _, subresource = entry.resources[0].partition("/")
            near = self.by_target.get((entry.group, resource, subresource), [])
            found = [each for each in near if rule_matches(rule, each[1].sample.request)]
        return sorted(found, key=lambda each: (-each[1].fitted.bytes - each[1].tried.bytes, each[0]))

    def _saved(self, step: Step) -> tuple[float, float]:
        """The bytes that it saves in a day by itself, and the events that lose something by it."""
        decide = compile_policy(changed(self.tuning.policy, (step,)))
        size = events = 0.0
        for kind, entry in self._touched(step):
            before = decision_of(self.tuning.policy, kind.rule)
            after = decide(entry.sample.request)
            for node in self.nodes:
                own = node.kinds.entries.get(kind)
                if own is None or not node.fitted_days:
                    continue
                old, new = (written(each, kind.level, kind.stage, own.fitted) for each in (before, after))
                if old != new:
                    size += (old.bytes - new.bytes) / node.fitted_days
                    events += old.events / node.fitted_days
        return size, events

    def _blinds(self, chosen: Sequence[Saving]) -> tuple[str, ...]:
        return self._forbidden(chosen, self.kinds.entries.items()) if chosen else ()

    def _forbidden(self, chosen: Sequence[Saving], kinds: Iterable[tuple[Kind, Entry]]) -> tuple[str, ...]:
        """The events of these kinds that steps together lose and must not, and what of the required they blind."""
        policy = changed(self.tuning.policy, [each.step for each in chosen])
        required = self.tuning.required
        loss = lost(self.tuning.policy, policy, _rules(chosen)) if required else Loss()
        return (
            *losses(self.tuning.policy, policy, kinds),
            *(f"{area}: {name}" for area in Area if area in required for name in loss.of(area)),
        )


def _rules(chosen: Iterable[Saving]) -> tuple[PolicyRule, ...]:
    return tuple(each.step.rule for each in chosen if each.step.rule)


def _rate(node: NodeKinds, decisions: Mapping[Kind, Decision], *, tried: bool) -> float | None:
    days = node.tried_days if tried else node.fitted_days
    return _size(node, decisions, tried=tried) / days if days else None


def _size(node: NodeKinds, decisions: Mapping[Kind, Decision], *, tried: bool) -> int:
    """The bytes that are written of one part of a node's log. What there was no room for stays as it is."""
    amounts = ((kind, entry.tried if tried else entry.fitted) for kind, entry in node.kinds.entries.items())
    others = node.kinds.others_tried if tried else node.kinds.others_fitted
    return others.bytes + sum(
        written(decisions[kind], kind.level, kind.stage, amount).bytes for kind, amount in amounts
    )


def _in_words(kind: Kind, entry: Entry) -> str:
    """One request as an example, with what the log says about it."""
    sample = entry.sample
    request = sample.request
    where = "/".join(part for part in (request.namespace, request.name) if part and not part.startswith("\0"))
    what = "/".join(part for part in (kind.resource, kind.subresource) if part) or request.path
    user = kind.caller if kind.caller == NODES and not sample.moment else request.user or "nobody known"
    agent = f" with {sample.user_agent}" if sample.user_agent else ""
    when = f"{sample.moment[:19]}Z " if sample.moment else ""
    return f"{when}{user} {kind.verb} {what}{f' {where}' if where else ''}{agent}"
