"""Sessions into workloads that a policy drops by accident."""

from __future__ import annotations

from collections.abc import Iterator

from auditlog.policy.lint.finding import Check, Context, Hit, Severity, writes
from auditlog.policy.model import GroupResources, Level, PolicyRule
from auditlog.policy.partition import Diagram, Node, Outcome, partition

_SESSIONS = ("pods/exec", "pods/attach", "pods/portforward")
_QUESTION = PolicyRule(Level.METADATA, verbs=("get", "create"), resources=(GroupResources("", _SESSIONS),))


def _hidden_sessions(context: Context) -> Iterator[Hit]:
    """Compares, for every user, namespace and name, the `get` that opens a session with the `create` that does."""
    diagram = partition((context.policy, (_QUESTION,))).resources
    pairs = _pairs(_after_verb(diagram, "get"), _after_verb(diagram, "create"), set())
    dropping: set[int] = set()
    for (by_get, matched), (by_create, _) in pairs:
        if matched is None or writes(context.decision(by_get)) or not writes(context.decision(by_create)):
            continue
        if by_get is not None:
            dropping.add(by_get)
    for index in sorted(dropping):
        yield Hit(
            f"rules[{index}]",
            "drops exec, attach and port-forward as kubectl opens them (WebSocket: the verb is get); "
            "only sessions opened with create would be recorded",
            f"put a rule with level Metadata for {', '.join(_SESSIONS)}, without verbs, in front of it",
        )


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


CHECKS = (
    Check(
        "hidden-sessions",
        Severity.ERROR,
        "A rule that drops reads also drops exec, attach and port-forward over WebSocket.",
        _hidden_sessions,
    ),
)
