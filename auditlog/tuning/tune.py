"""`tune`: one pass over a log, the search on its first part, and how well that predicts the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from auditlog.errors import AuditlogError
from auditlog.events.kinds import Kinds, KindSettings
from auditlog.events.reading import Damage, Progress, no_audit_log
from auditlog.events.replay import SHORTEST_SPAN_SECONDS, ReplaySettings, count
from auditlog.events.sources import STDIN, LogSet
from auditlog.events.span import Span, spans
from auditlog.tuning.knowledge import Area, knowledge
from auditlog.tuning.marks import Marks
from auditlog.tuning.search import NodeKinds, Plan, Tuning, search
from auditlog.tuning.steps import What
from auditlog.units import DAY

FITTED_SHARE = 2 / 3
"""The part of each node's log that steps are chosen by; the rest, which is the later one, they are tried on."""

_DAY_HOURS = 24


class TuneError(AuditlogError):
    """A log that a policy cannot be tuned by; the message says why."""


@dataclass(frozen=True, slots=True)
class TuneReport:
    """The plan, what it was made from, and what that leaves unknown."""

    plan: Plan
    spans: dict[str, Span]
    cannot_tell: tuple[str, ...]
    notes: tuple[str, ...] = ()
    damage: Damage = field(default_factory=Damage)


def tune(logs: LogSet, tuning: Tuning, processes: int = 1, progress: Progress = lambda _: None) -> TuneReport:
    """Reads the logs once and searches.

    Raises:
        TuneError: standard input, whose end is not known before it is read, or a log that is too short for a rate.
        SourceError: nothing in it is an event.
    """
    if any(file.path == STDIN for file in logs.files):
        raise TuneError("tune: standard input cannot be parted before it is read; allowed: files and folders")
    found = spans(logs)
    settings = ReplaySettings(policy=tuning.policy, recorded=tuning.policy, processes=processes)
    kinds = KindSettings(marks_of(tuning), {node: span.at(FITTED_SHARE) for node, span in found.items()})
    counted = count(logs, settings, progress, kinds)
    if not any(each.recorded.events for each in counted.nodes.values()) and counted.damage.count:
        raise no_audit_log(", ".join(file.path for file in logs.files), counted.damage.examples[0].reason)
    enough = {node: span for node, span in found.items() if is_long_enough(span)}
    if not enough:
        raise TuneError("tune: no node's log reaches over a minute, so it gives no rate; name a longer log")
    nodes = [parted(node, counted.nodes[node].kinds, span.days) for node, span in enough.items()]
    disagreeing = sum(each.disagreeing for each in counted.nodes.values())
    plan = search(tuning, nodes)
    short = [
        f"{node}: its log is too short for a rate, and is left out" for node in counted.nodes if node not in enough
    ]
    return TuneReport(
        plan,
        enough,
        tuple(cannot_tell(plan, nodes, enough, disagreeing)),
        (*logs.notes, *short),
        counted.damage,
    )


def is_long_enough(span: Span) -> bool:
    """Whether a log of this length gives a rate."""
    return span.days * DAY >= SHORTEST_SPAN_SECONDS


def marks_of(tuning: Tuning) -> Marks:
    """The marks of events: of detections those that can fire now, if they are required."""
    kept = knowledge(tuning.policy).detections if Area.DETECTIONS in tuning.required else frozenset()
    return Marks(tuning.programs, kept)


def parted(node: str, kinds: Kinds, days: float) -> NodeKinds:
    """A node's kinds with the days that both parts stand for."""
    return NodeKinds(node, kinds, days * FITTED_SHARE, days * (1 - FITTED_SHARE))


def cannot_tell(plan: Plan, nodes: list[NodeKinds], reach: dict[str, Span], disagreeing: int) -> Iterator[str]:
    """What the log leaves unknown, in sentences."""
    hours = min(span.days for span in reach.values()) * _DAY_HOURS
    if hours < _DAY_HOURS:
        yield (
            f"The log spans {hours:.1f} hours: what differs by the time of day is not in its rates. A log of a week "
            "has it."
        )
    if disagreeing:
        yield (
            f"{disagreeing} events have a level or stage that the policy does not give: a part of the log was written "
            "under another one. Name the policy that was in force."
        )
    if any(each.kinds.others_fitted.events or each.kinds.others_tried.events for each in nodes):
        yield "There are more kinds of requests than are kept; callers that have some of the rest are left alone."
    if any(each.step.what is What.ANNOTATED for each in plan.chosen):
        yield "What annotations add to an event is counted only where the log has them already."
