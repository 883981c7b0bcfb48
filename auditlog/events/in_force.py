"""Which policy was in force on which node, from when, and how well that is known.

A node's history holds observations: a policy file, when it was last changed, and when the running API server started.
An API server reads its policy once, when it starts. So a file that is older than the process is the policy of this
process. It was in force from the start of the process for as long as that was seen to run. Between two processes nobody
looked.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from auditlog.errors import AuditlogError
from auditlog.events.history_text import ABSENT, Lost, Observation, told_by
from auditlog.policy.model import Policy

NO_POLICY = Policy(rules=(), source="no policy")
"""An API server without a policy records nothing."""

HANDOVER_SECONDS = 600
"""A change of the stack looks at the policy before and after. Between the two it takes at most this long."""

OVERLAP_SECONDS = 60
"""Two API servers of a node run at once for less than this. A longer overlap means that a clock was set back."""

DAMAGED = "a line of its policy history is damaged"


@dataclass(frozen=True, slots=True)
class Period:
    """What was in force on a node from `start` until before `end`; None is open."""

    node: str
    start: datetime | None
    end: datetime | None
    policies: tuple[Policy, ...]
    """One if it is known; several if it was one of these; empty if nothing is known."""
    unknown: str = ""
    """Why the policy is not known for certain; "" if it is."""


@dataclass(frozen=True, slots=True)
class PolicyHistory:
    """The periods of every node, without a hole between them."""

    periods: Mapping[str, tuple[Period, ...]] = field(default_factory=dict)
    complaints: tuple[str, ...] = ()
    """What people should know about lines that could not be read."""

    def of(self, node: str) -> tuple[Period, ...]:
        """The periods of a node by its name in a log. A store puts the cluster's name in front."""
        return self.periods.get(node, ()) or self.periods.get(node.rpartition("/")[2].lower(), ())

    def period_at(self, node: str, moment: datetime) -> Period | None:
        """What is known about that moment; None if the node reports no history."""
        periods = self.of(node)
        index = bisect_right(periods, moment, key=lambda each: each.start or _BEGINNING) - 1
        return periods[index] if index >= 0 else None

    def within(self, node: str, since: datetime, until: datetime) -> Iterator[Period]:
        """The periods that a range of time touches."""
        for period in self.of(node):
            if (period.end is None or period.end > since) and (period.start is None or period.start <= until):
                yield period


_BEGINNING = datetime.min.replace(tzinfo=UTC)


def history_of(observations: Iterable[Observation], texts: Mapping[str, Policy]) -> PolicyHistory:
    """The periods that observations show. `texts` has the policies by the SHA-256 of their text."""
    by_node: dict[str, list[Observation]] = {}
    for each in observations:
        by_node.setdefault(each.node, []).append(each)
    return PolicyHistory({node: tuple(_periods(node, seen, texts, ())) for node, seen in by_node.items()})


def read_history(lines: Mapping[str, str], policy_of: Callable[[str, str], Policy]) -> PolicyHistory:
    """The history that nodes report (`policies` of `node/log_files.sh`). `policy_of` reads a text, with a name.

    `lines` has the reports by node. Damage raises no error: nothing is known about that time, and `complaints` says so.
    """
    told = {node: told_by(node, text) for node, text in lines.items()}
    texts = {name: text for each in told.values() for name, text in each.texts.items()}
    policies: dict[str, Policy] = {}
    complaints = [complaint for node, each in told.items() for complaint in each.complaints(node)]
    for name, text in texts.items():
        try:
            policies[name] = policy_of(text, f"policy {name[:12]}")
        except AuditlogError as problem:
            complaints.append(f"policy {name[:12]} of the policy history cannot be read ({problem.messages[0]})")
    periods = {node: tuple(_periods(node, each.observations, policies, each.lost)) for node, each in told.items()}
    return PolicyHistory({node: found for node, found in periods.items() if found}, tuple(complaints))


@dataclass(slots=True)
class _Run:
    """One API server process, or one look that does not show which process ran."""

    start: int
    end: int
    policies: tuple[str, ...]
    """Its policy. Empty if the file was changed after the process had started and before anybody looked."""
    first_by: str
    last_by: str
    is_process: bool = False
    unknown: str = ""
    """Why it is not known which policy it was; "" if it is."""


def _periods(
    node: str, seen: Sequence[Observation], texts: Mapping[str, Policy], lost: Sequence[Lost]
) -> Iterator[Period]:
    known = {**texts, ABSENT: NO_POLICY}
    runs = _runs(seen)

    def period(start: int | None, end: int | None, names: Iterable[str], unknown: str) -> Period:
        # A process keeps its policy, so what is known of it holds whatever a damaged line said.
        why = DAMAGED if unknown and any(each.touches(start, end) for each in lost) else unknown
        policies = tuple(dict.fromkeys(known[name] for name in names if name in known))
        return Period(node, _moment(start), _moment(end), policies, why)

    if not runs:
        if lost:
            yield Period(node, None, None, (), DAMAGED)
        return
    yield period(None, runs[0].start, (), "nobody had looked yet")
    for index, run in enumerate(runs):
        following = runs[index + 1] if index + 1 < len(runs) else None
        if run.end > run.start:
            yield period(run.start, run.end, run.policies, run.unknown or _why_unknown(run, known))
        if following is None:
            yield period(run.end, None, (), "nobody has looked since")
        elif following.start > run.end:
            names = (*run.policies, *following.policies)
            unknown = (
                "" if _is_handover(run, following, names, known, lost) else "the API server was started anew unobserved"
            )
            yield period(run.end, following.start, names, unknown)


def _runs(seen: Iterable[Observation]) -> list[_Run]:
    """The processes in the order of their starts. A look without a process counts as a run by itself."""
    processes: dict[int, _Run] = {}
    looks: list[_Run] = []
    for each in sorted(seen, key=lambda each: (each.last, each.first)):
        if not each.started:
            looks.append(_Run(each.first, each.last + 1, (each.policy,), each.by, each.by))
            continue
        # The kernel counts seconds from the boot, whose time may be told one second apart.
        key = next((start for start in processes if abs(start - each.started) <= 1), each.started)
        policies = (each.policy,) if each.changed <= key or each.policy == ABSENT else ()
        run = processes.get(key)
        if run is None:
            processes[key] = _Run(key, each.last + 1, policies, each.by, each.by, is_process=True)
            continue
        run.end, run.last_by, run.policies = max(run.end, each.last + 1), each.by, run.policies or policies
    return list(_apart(sorted((*processes.values(), *looks), key=lambda run: (run.start, run.end))))


def _apart(runs: Sequence[_Run]) -> Iterator[_Run]:
    """Runs that do not overlap, in order. If a clock was set back, their overlap becomes a run with both policies."""
    earlier: _Run | None = None
    for run in runs:
        if earlier is not None and earlier.end > run.start:
            both = min(earlier.end, run.end)
            if earlier.is_process and run.is_process and both - run.start > OVERLAP_SECONDS:
                names = (*earlier.policies, *run.policies)
                doubtful = _Run(run.start, both, names, run.first_by, run.last_by, unknown="its clock was set back")
                earlier.end, run.start = run.start, both
                yield earlier
                earlier = doubtful
            else:
                earlier.end = run.start
        if earlier is not None:
            yield earlier
        earlier = run
    if earlier is not None:
        yield earlier


def _is_handover(
    run: _Run, following: _Run, names: Sequence[str], known: Mapping[str, Policy], lost: Sequence[Lost]
) -> bool:
    """Whether a change of the stack looked before and after the restart, so that it was one of two policies."""
    by_stack = run.last_by == "found" and following.first_by in ("stack", "removed")
    whole = not any(each.touches(run.end, following.start) for each in lost)
    return by_stack and whole and not known.keys().isdisjoint(names) and following.start - run.end <= HANDOVER_SECONDS


def _why_unknown(run: _Run, known: Mapping[str, Policy]) -> str:
    if not run.policies:
        return "the policy file was changed after the API server had read it, and nobody had looked before"
    return "" if known.keys() >= set(run.policies) else "the text of the policy was not kept"


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
