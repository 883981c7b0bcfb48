"""What a log holds per day, and what another policy would have written of it.

The log is cut into parts, which one or several processes count (`counting`). The counts become one report. Memory does
not grow with the log: names beyond a fixed number are summed up, and the report says so.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from auditlog.events.budget import DiskBudget
from auditlog.events.counting import DIMENSIONS, Counter, Counts, StageCounts
from auditlog.events.kinds import KindSettings
from auditlog.events.parts import Part, can_share, cut, in_processes
from auditlog.events.reading import Damage, DamageLog, Progress, Unread
from auditlog.events.sources import LogSet
from auditlog.events.tally import NOTHING, Tally, Volume
from auditlog.policy.model import Level, Policy, Stage
from auditlog.units import DAY

PART_BYTES = 64 * 1024 * 1024
SHORTEST_SPAN_SECONDS = 60.0
"""A shorter log gives no rate: its volume would be multiplied by more than a thousand to make a day."""

_SHORT_DIMENSIONS = frozenset({"day", "level", "stage", "rule", "recorded_rule"})


@dataclass(frozen=True, slots=True)
class Rate:
    """Events and bytes per day."""

    events: float
    bytes: float


@dataclass(frozen=True, slots=True)
class Line:
    """One name of a table. `written` is what the tried policy would write of the recorded events; None without one.

    The rates are None in the table by day, and if the log is too short for them.
    """

    name: str
    recorded: Volume
    recorded_per_day: Rate | None
    written: Volume | None
    written_per_day: Rate | None


@dataclass(frozen=True, slots=True)
class Table:
    """The largest names of one dimension. `others` sums up the rest. A name may lack up to `undercount` bytes."""

    dimension: str
    lines: tuple[Line, ...]
    others: Line | None
    undercount: int


@dataclass(frozen=True, slots=True)
class StageEstimate:
    """Events of a stage that the log lacks and the tried policy would write, estimated from the final events."""

    stage: str
    estimate: Volume


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node's log. `written` includes `missing`. Rates are None if the log is too short for them."""

    node: str
    first: datetime | None
    last: datetime | None
    recorded: Volume
    recorded_per_day: Rate | None
    written: Volume | None
    written_per_day: Rate | None
    missing: tuple[StageEstimate, ...]


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How many days a budget lasts; None if the rate is not known or nothing is written.

    `limited_by_age` means that the API server deletes by age before the space is used up.
    """

    budget: str
    bytes: int
    recorded_days: float | None
    written_days: float | None
    limited_by_age: bool = False


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What `replay` found. Volumes count lines with their newlines; a day is 24 hours."""

    nodes: tuple[NodeReport, ...]
    recorded: Volume
    written: Volume | None
    tables: tuple[Table, ...]
    lifetimes: tuple[Lifetime, ...]
    cannot_tell: tuple[str, ...]
    disagreeing: int | None
    notes: tuple[str, ...]
    damage: Damage


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """What to compute. `policy` is tried. The log was written under `recorded`, if that is known."""

    policy: Policy | None = None
    recorded: Policy | None = None
    top: int = 10
    disk: DiskBudget | None = None
    loki_bytes: int | None = None
    processes: int = 1
    part_bytes: int = PART_BYTES


def replay(logs: LogSet, settings: ReplaySettings, progress: Progress = lambda _: None) -> ReplayReport:
    """Counts the logs and reports.

    With `processes` above 1, processes share the files in byte ranges (`auditlog.events.parts`). `progress` is called
    with the bytes on disk as they are done.
    """
    counted = count(logs, settings, progress)
    return _report(counted.nodes, counted.damage, logs.notes, settings)


@dataclass(frozen=True, slots=True)
class Counted:
    """What one pass over the logs found: the counts of each node, and what could not be read."""

    nodes: dict[str, Counts]
    damage: Damage


def count(
    logs: LogSet, settings: ReplaySettings, progress: Progress = lambda _: None, kinds: KindSettings | None = None
) -> Counted:
    """Counts the logs in one pass, like `replay`. With `kinds` it also counts the kinds that `tune` needs."""
    parts = tuple(cut(logs, settings.part_bytes))
    nodes: dict[str, Counts] = {}
    files: dict[str, Unread] = {}
    with closing(_counted(parts, settings, kinds, progress)) as counted:
        for part, counts in zip(parts, counted, strict=True):
            nodes.setdefault(part.file.node, Counts()).merge(counts)
            files.setdefault(part.file.path, Unread()).merge(counts.unread)
    damage = DamageLog()
    for path, unread in files.items():
        damage.add_file(path, unread)
    return Counted(nodes, damage.result())


def _counted(
    parts: Sequence[Part], settings: ReplaySettings, kinds: KindSettings | None, progress: Progress
) -> Generator[Counts]:
    """The counts of the parts, in their order."""
    if can_share(parts, settings.processes):
        return in_processes(
            parts, settings.processes, partial(_counts, settings.policy, settings.recorded, kinds), progress
        )
    counter = Counter(settings.policy, settings.recorded, kinds)
    return (counter.count(part, progress) for part in parts)


def _counts(policy: Policy | None, recorded: Policy | None, kinds: KindSettings | None) -> Callable[[Part], Counts]:
    return Counter(policy, recorded, kinds).count


def _report(nodes: dict[str, Counts], damage: Damage, notes: tuple[str, ...], settings: ReplaySettings) -> ReplayReport:
    total = Counts()
    for counts in nodes.values():
        total.merge(counts)
    reports = tuple(_node_report(node, counts, settings.policy) for node, counts in nodes.items())
    return ReplayReport(
        nodes=reports,
        recorded=total.recorded,
        written=_sum(report.written for report in reports) if settings.policy else None,
        tables=tuple(_tables(total.tallies, _days_of(reports), settings)),
        lifetimes=tuple(_lifetimes(reports, settings)),
        cannot_tell=tuple(_cannot_tell(total, reports, settings)) if settings.policy else (),
        disagreeing=total.disagreeing if settings.recorded else None,
        notes=notes,
        damage=damage,
    )


def _node_report(node: str, counts: Counts, policy: Policy | None) -> NodeReport:
    first, last = _moment(counts.first), _moment(counts.last)
    days = (last - first).total_seconds() / DAY if first and last else 0.0
    if days * DAY < SHORTEST_SPAN_SECONDS:
        days = 0.0
    missing = tuple(_missing_stages(counts, policy)) if policy else ()
    written = counts.written + _sum(stage.estimate for stage in missing) if policy else None
    return NodeReport(
        node,
        first,
        last,
        counts.recorded,
        _rate(counts.recorded, days),
        written,
        _rate(written, days) if written is not None else None,
        missing,
    )


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _rate(volume: Volume, days: float) -> Rate | None:
    return Rate(volume.events / days, volume.bytes / days) if days else None


def _missing_stages(counts: Counts, policy: Policy) -> Iterator[StageEstimate]:
    """What the log lacks: every finished request was received, and every long-running one started a response."""
    received = started = NOTHING
    for rule, stages in counts.stages.items():
        omitted = set(policy.omit_stages)
        if rule is not None:
            omitted.update(policy.rules[rule].omit_stages)
        if Stage.REQUEST_RECEIVED not in omitted:
            received += _shortfall(stages, Stage.REQUEST_RECEIVED, stages.finished, stages.bare)
        if Stage.RESPONSE_STARTED not in omitted:
            started += _shortfall(stages, Stage.RESPONSE_STARTED, stages.long_running, stages.started)
    for stage, estimate in ((Stage.REQUEST_RECEIVED, received), (Stage.RESPONSE_STARTED, started)):
        if estimate.events:
            yield StageEstimate(stage, estimate)


def _shortfall(stages: StageCounts, stage: Stage, expected: int, size: int) -> Volume:
    events = max(0, expected - stages.events[stage])
    return Volume(events, round(size * events / expected)) if events else NOTHING


def _days_of(nodes: Sequence[NodeReport]) -> float:
    """The days that the whole log spans: its bytes over the nodes' bytes per day; 0 if that is not known."""
    rates = [node.recorded_per_day for node in nodes]
    if any(rate is None for rate in rates):
        return 0.0
    per_day = sum(rate.bytes for rate in rates if rate is not None)
    return sum(node.recorded.bytes for node in nodes) / per_day if per_day else 0.0


def _tables(tallies: dict[str, Tally], days: float, settings: ReplaySettings) -> Iterator[Table]:
    for dimension in DIMENSIONS:
        tally = tallies[dimension]
        over = 0.0 if dimension == "day" else days

        def line(name: str, recorded: Volume, written: Volume, over: float = over) -> Line:
            if settings.policy is None:
                return Line(name, recorded, _rate(recorded, over), None, None)
            return Line(name, recorded, _rate(recorded, over), written, _rate(written, over))

        names = list(tally.largest_first())
        if dimension == "day":
            names.sort(key=lambda entry: entry[0])
        shown = len(names) if dimension in _SHORT_DIMENSIONS else settings.top
        rest = [*names[shown:], ("", *tally.forgotten)]
        others = line("others", _sum(entry[1] for entry in rest), _sum(entry[2] for entry in rest))
        if names:
            yield Table(
                dimension,
                tuple(line(*entry) for entry in names[:shown]),
                others if others.recorded.events else None,
                tally.undercount,
            )


def _lifetimes(nodes: Sequence[NodeReport], settings: ReplaySettings) -> Iterator[Lifetime]:
    if disk := settings.disk:
        for node in nodes:
            recorded = _days(disk.bytes, [node.recorded_per_day])
            written = _days(disk.bytes, [node.written_per_day])
            kept = [days for days in (recorded, written) if days is not None]
            yield Lifetime(
                f"disk of {node.node}",
                disk.bytes,
                _aged(recorded, disk.maxage),
                _aged(written, disk.maxage),
                bool(disk.maxage and any(days > disk.maxage for days in kept)),
            )
    if settings.loki_bytes is not None:
        yield Lifetime(
            "Loki, all nodes",
            settings.loki_bytes,
            _days(settings.loki_bytes, [node.recorded_per_day for node in nodes]),
            _days(settings.loki_bytes, [node.written_per_day for node in nodes]),
        )


def _days(budget: int, rates: Sequence[Rate | None]) -> float | None:
    if any(rate is None for rate in rates):
        return None
    per_day = sum(rate.bytes for rate in rates if rate is not None)
    return budget / per_day if per_day else None


def _aged(days: float | None, maxage: int) -> float | None:
    return min(days, maxage) if days is not None and maxage else days


def _cannot_tell(total: Counts, nodes: Sequence[NodeReport], settings: ReplaySettings) -> Iterator[str]:
    """What this log leaves unknown about the tried policy, in sentences."""
    policy, recorded = settings.policy, settings.recorded
    if policy is None:
        return
    if recorded is None:
        yield (
            "Requests that the policy in force dropped are not in the log; what this policy would write of them is "
            "not counted. Name the policy in force to see which of its rules drop requests."
        )
    else:
        silent = [index for index, rule in enumerate(recorded.rules) if rule.level is Level.NONE]
        rules = ", ".join(str(index + 1) for index in silent) or "none"
        yield (
            "Requests that the policy in force dropped are not in the log; what this policy would write of them is "
            f"not counted. Rules that drop requests: {rules}; so does matching no rule."
        )
    if total.without_body:
        yield (
            f"{total.without_body} events would be written with bodies that the log lacks. They count with their bytes "
            "in the log, so the bytes are a lower bound."
        )
    for stage in (Stage.REQUEST_RECEIVED, Stage.RESPONSE_STARTED):
        estimates = [each.estimate for node in nodes for each in node.missing if each.stage == stage]
        if estimates:
            volume = _sum(estimates)
            yield (
                f"The log lacks {volume.events} {stage} events that this policy would write; their {volume.bytes} "
                "bytes are estimated from the final events of the same requests. They are in the totals and not in "
                "the tables."
            )
    if total.with_managed_fields:
        yield (
            f"{total.with_managed_fields} events would be written with bodies without managed fields; the bodies "
            "count as they are in the log, so the bytes are an upper bound."
        )


def _sum(volumes: Iterable[Volume | None]) -> Volume:
    return sum((volume for volume in volumes if volume is not None), NOTHING)
