"""Sessions into workloads that a policy drops by accident, or records only when they end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from auditlog.policy.lint.finding import Check, Context, Hit, Severity, writes
from auditlog.policy.model import GroupResources, Level, PolicyRule, Stage
from auditlog.policy.partition import Diagram, Node, Outcome, partition
from auditlog.policy.senders import Sender, described, senders

_SESSIONS = ("pods/exec", "pods/attach", "pods/portforward")
_QUESTION = PolicyRule(Level.METADATA, verbs=("get", "create"), resources=(GroupResources("", _SESSIONS),))


def _hidden_sessions(context: Context) -> Iterator[Hit]:
    """Compares, for every user, namespace and name, the `get` that opens a session with the `create` that does."""
    known: dict[tuple[int, ...], frozenset[int | None]] = {}
    hidden: dict[int | None, list[Sender]] = {}
    for sender in senders(context.policy.rules):
        # Without credentials nobody opens a session, so nothing is hidden.
        if sender.is_unauthenticated:
            continue
        own = tuple(index for index, rule in enumerate(context.policy.rules) if sender.meets(rule))
        if own not in known:
            known[own] = frozenset(_dropping(context, own))
        for rule in known[own]:
            hidden.setdefault(rule, []).append(sender)
    for index, who in sorted(hidden.items(), key=lambda each: -1 if each[0] is None else each[0]):
        what = "no rule matches" if index is None else "drops"
        yield Hit(
            "rules" if index is None else f"rules[{index}]",
            f"{what} exec, attach and port-forward of {described(who)} as kubectl opens them (WebSocket: the verb is "
            "get); only sessions opened with create would be recorded",
            f"put a rule with level Metadata for {', '.join(_SESSIONS)}, without verbs, in front of it",
            _severity(who),
        )


def _severity(who: list[Sender]) -> Severity:
    """People open sessions, workloads seldom do, the control plane never."""
    if all(sender.is_control_plane for sender in who):
        return Severity.INFO
    return Severity.WARNING if all(sender.is_control_plane or sender.is_workload for sender in who) else Severity.ERROR


def _dropping(context: Context, own: tuple[int, ...]) -> Iterator[int | None]:
    """The rules, of those that are for a sender, that drop a `get` whose `create` is recorded."""
    rules = [replace(context.policy.rules[index], users=(), user_groups=()) for index in own]
    diagram = partition((rules, (_QUESTION,))).resources

    def whole(index: int | None) -> int | None:
        return None if index is None else own[index]

    for (by_get, matched), (by_create, _) in _pairs(_after_verb(diagram, "get"), _after_verb(diagram, "create"), set()):
        if matched is None or writes(context.decision(whole(by_get))):
            continue
        if writes(context.decision(whole(by_create))):
            yield whole(by_get)


def _after_verb(diagram: Diagram, verb: str) -> Node:
    choices = zip(diagram.axes[0].choices, diagram.root.children, strict=True)
    return next(child for choice, child in choices if verb in choice.values)


def _pairs(left: Node, right: Node, seen: set[tuple[Node, Node]]) -> Iterator[tuple[Outcome, Outcome]]:
    """The outcomes of requests that differ in the verb alone."""
    if (left, right) in seen:
        return
    seen.add((left, right))
    if not left.children:
        yield from ((mine, yours) for mine in left.outcomes for yours in right.outcomes)
    for mine, yours in zip(left.children, right.children, strict=True):
        yield from _pairs(mine, yours, seen)


def _recorded_late(context: Context) -> Iterator[Hit]:
    early = {Stage.REQUEST_RECEIVED, Stage.RESPONSE_STARTED}
    outcomes = partition((context.policy, (_QUESTION,))).outcomes
    for index in sorted({index for index, matched in outcomes if matched is not None and index is not None}):
        decision = context.decision(index)
        if not writes(decision) or not early <= decision.omit_stages or Stage.RESPONSE_COMPLETE in decision.omit_stages:
            continue
        stages, path = context.policy.omit_stages, "omitStages"
        if Stage.RESPONSE_STARTED not in stages:
            stages, path = context.policy.rules[index].omit_stages, f"rules[{index}].omitStages"
        yield Hit(
            f"{path}[{stages.index(Stage.RESPONSE_STARTED)}]",
            "exec, attach and port-forward are recorded only when they end: not while they last, and not at all when "
            "the API server dies meanwhile",
            "do not omit ResponseStarted",
        )


CHECKS = (
    Check(
        "hidden-sessions",
        Severity.ERROR,
        "Exec, attach and port-forward over WebSocket are not recorded, those opened with create are.",
        _hidden_sessions,
    ),
    Check("late-sessions", Severity.WARNING, "Sessions are recorded only when they end.", _recorded_late),
)
