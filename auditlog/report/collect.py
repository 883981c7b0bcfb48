"""What the page shows, from one pass over a log. Memory does not grow with the log."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from auditlog.detections.in_files import Watches, not_evaluated
from auditlog.detections.model import Detection, Severity
from auditlog.detections.rings import Ring, replayed, summary_of
from auditlog.events.coverage import Coverage, CoverageWatch, TimeRange
from auditlog.events.event import Event, Recorded, Sighting, resource_name
from auditlog.events.in_force import Period
from auditlog.events.outcome import Doubt, Outcome
from auditlog.events.questions.common import one_per_request
from auditlog.events.questions.secret_access import Identity, identity
from auditlog.events.reading import Damage
from auditlog.events.replay import ReplayReport
from auditlog.events.story.change import Bodies
from auditlog.events.story.entry import Entry, entry, is_refused, reads, sentence
from auditlog.events.story.timeline import joined

MOST_POINTS = 400
"""The most points of the chart. A screen does not show more."""

MOST_CALLERS = 25
MOST_OBJECTS = 25
MOST_ENTRIES = 300
MOST_ALERTS = 200
"""The most alerts of one detection. The latest are kept."""
KEPT_NAMES = 50_000
"""The most names that are counted one by one. Requests of further names are summed up."""

_ROUTINE = frozenset({Identity.NODE, Identity.CONTROL_PLANE})


@dataclass(frozen=True, slots=True)
class Activity:
    """Requests by kind of caller, in steps of `step` seconds from `start`."""

    start: datetime | None
    step: int
    counts: dict[Identity, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Caller:
    """What one user did."""

    user: str
    kind: Identity
    requests: int
    changes: int
    refused: int
    addresses: tuple[str, ...]
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Target:
    """How often an object was changed, and by how many users."""

    resource: str
    namespace: str
    name: str
    changes: int
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a question about the same log would answer, and what it rests on."""

    question: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert that would have fired."""

    detection: Detection
    ring: Ring

    @property
    def summary(self) -> str:
        """The alert in one sentence."""
        return summary_of(self.detection, self.ring)


@dataclass(frozen=True, slots=True)
class Findings:
    """What the pass over the events found."""

    coverage: Coverage
    requests: int
    activity: Activity
    callers: tuple[Caller, ...]
    other_callers: int
    targets: tuple[Target, ...]
    other_targets: int
    entries: tuple[Entry, ...]
    """The latest changes and refusals, of people and of workloads outside kube-system."""
    earlier_entries: int
    fired: tuple[Fired, ...]
    not_evaluated: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything on the page."""

    title: str
    made: datetime
    findings: Findings
    judged_by: str
    """The policy that the verdicts rest on, as a noun; "" if none was named."""
    verdicts: tuple[Verdict, ...]
    periods: tuple[Period, ...]
    volume: ReplayReport
    notes: tuple[str, ...]
    damage: Damage

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Every reason once, in the order of the questions."""
        return tuple({each.reason: each for verdict in self.verdicts for each in verdict.outcome.doubts}.values())


@dataclass(slots=True)
class _Caller:
    first: datetime
    last: datetime
    requests: int = 0
    changes: int = 0
    refused: int = 0
    addresses: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class _Book:
    seconds: dict[Identity, Counter[int]] = field(default_factory=lambda: {each: Counter() for each in Identity})
    callers: dict[str, _Caller] = field(default_factory=dict)
    targets: dict[tuple[str, str, str], Counter[str]] = field(default_factory=dict)
    kept: list[tuple[datetime, int, Sighting]] = field(default_factory=list)
    number: int = 0
    left_out: int = 0
    left_callers: int = 0
    left_targets: int = 0

    def note(self, sighting: Sighting) -> None:
        event = sighting.event
        self.number += 1
        moment = event.request_received_timestamp
        user = event.user.username
        kind = identity(user)
        # Ten seconds are the finest step; a chart of a year has coarser ones.
        self.seconds[kind][int(moment.timestamp()) // 10] += 1
        is_change, refused = not reads(event), is_refused(event)
        self._caller(event, user, is_change=is_change, refused=refused)
        routine = kind in _ROUTINE or user.startswith("system:serviceaccount:kube-system:")
        if is_change and not refused and not routine:
            self._target(event, user)
        if (is_change or refused) and not routine and kind is not Identity.ANONYMOUS and not _is_review(event):
            heapq.heappush(self.kept, (moment, self.number, sighting))
            if len(self.kept) > MOST_ENTRIES:
                heapq.heappop(self.kept)
                self.left_out += 1

    def _caller(self, event: Event, user: str, *, is_change: bool, refused: bool) -> None:
        moment = event.request_received_timestamp
        caller = self.callers.get(user)
        if caller is None:
            if len(self.callers) >= KEPT_NAMES:
                self.left_callers += 1
                return
            caller = self.callers[user] = _Caller(moment, moment)
        caller.requests += 1
        caller.changes += is_change and not refused
        caller.refused += refused
        caller.first, caller.last = min(caller.first, moment), max(caller.last, moment)
        if event.source_ips and len(caller.addresses) < 5:
            caller.addresses[event.source_ips[0]] = None

    def _target(self, event: Event, user: str) -> None:
        reference = event.object_ref
        if reference is None or _is_review(event):
            return
        key = (resource_name(reference), reference.namespace, reference.name)
        users = self.targets.get(key)
        if users is None:
            if len(self.targets) >= KEPT_NAMES:
                self.left_targets += 1
                return
            users = self.targets[key] = Counter()
        users[user] += 1


def collect(recorded: Iterable[Recorded], time: TimeRange) -> Findings:
    """Everything that one pass over the events finds."""
    watch, watches, book = CoverageWatch(time), Watches(), _Book()

    def watched() -> Iterator[Sighting]:
        for sighting in watch.over(recorded):
            assert isinstance(sighting, Recorded)  # noqa: S101 - it gives what it takes
            watches.note(sighting.event, sighting.line)
            # Without its line, which nobody needs any more.
            yield Sighting(sighting.node, sighting.event)

    for sighting in one_per_request(watched()):
        book.note(sighting)
    callers = sorted(
        book.callers.items(), key=lambda each: (identity(each[0]) in _ROUTINE, -each[1].changes, -each[1].requests)
    )
    targets = sorted(book.targets.items(), key=lambda each: -each[1].total())
    return Findings(
        watch.result(),
        book.number,
        _activity(book.seconds),
        tuple(map(_as_caller, callers[:MOST_CALLERS])),
        max(0, len(callers) - MOST_CALLERS) + book.left_callers,
        tuple(Target(*key, users.total(), tuple(sorted(users))[:5]) for key, users in targets[:MOST_OBJECTS]),
        max(0, len(targets) - MOST_OBJECTS) + book.left_targets,
        _told(book.kept),
        book.left_out,
        _fired(watches),
        tuple(each.title for each in not_evaluated()),
    )


def _fired(watches: Watches) -> tuple[Fired, ...]:
    """The alerts that would have fired, gravest and latest first."""
    rang = [replayed(each, counted) for each, counted in watches.counted.items()]
    found = [Fired(each.detection, ring) for each in rang for ring in each.rings[-MOST_ALERTS:]]
    order = list(Severity)
    return tuple(sorted(found, key=lambda each: (order.index(each.detection.severity), -each.ring.last.timestamp())))


def _as_caller(each: tuple[str, _Caller]) -> Caller:
    user, seen = each
    return Caller(
        user, identity(user), seen.requests, seen.changes, seen.refused, tuple(seen.addresses), seen.first, seen.last
    )


def _told(kept: list[tuple[datetime, int, Sighting]]) -> tuple[Entry, ...]:
    bodies = Bodies()
    in_order = (sighting for _, _, sighting in sorted(kept, key=lambda each: each[:2]))
    entries = [entry(each, bodies.change(each.event)) for each in in_order]
    return tuple(replace(each, sentence=sentence(each)) for each in joined(entries))


def _activity(seconds: dict[Identity, Counter[int]]) -> Activity:
    slots = [slot for counts in seconds.values() for slot in counts]
    if not slots:
        return Activity(None, 10, {})
    first, last = min(slots), max(slots)
    step = next(each for each in _STEPS if (last - first) // each < MOST_POINTS or each == _STEPS[-1])
    first = first // step * step
    length = (last - first) // step + 1
    counts: dict[Identity, tuple[int, ...]] = {}
    for kind, found in seconds.items():
        row = [0] * length
        for slot, count in found.items():
            row[(slot - first) // step] += count
        counts[kind] = tuple(row)
    return Activity(datetime.fromtimestamp(first * 10, UTC), step * 10, counts)


_STEPS = (1, 3, 6, 30, 60, 180, 360, 2160, 8640, 60480)
"""Steps of the chart in tens of seconds: from ten seconds to a week."""


def _is_review(event: Event) -> bool:
    """Whether it is a question to the API server, which is sent like a creation."""
    group = event.object_ref.api_group if event.object_ref else ""
    return group in ("authorization.k8s.io", "authentication.k8s.io")
