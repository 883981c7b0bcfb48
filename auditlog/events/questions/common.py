"""What the questions share: one entry per request, what is shown of it, and keeping answers bounded."""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from auditlog.annotations.what_changed import what_changed
from auditlog.events.coverage import Coverage, TimeRange
from auditlog.events.event import Event, Sighting, resource_name
from auditlog.events.outcome import Doubt

KEPT_ENTRIES = 10_000
"""Entries an answer keeps at most."""

_FINAL_STAGES = frozenset({"ResponseComplete", "Panic"})
_OPEN_REQUESTS = 100_000

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One request, as an answer shows it."""

    time: datetime
    """When it was received."""
    node: str
    user: str
    impersonated: str
    """As whom the user acted; "" for nobody else."""
    verb: str
    resource: str
    """Written like `deployments.apps/scale`; "" for a request that is not for a resource."""
    namespace: str
    name: str
    code: int
    """The HTTP status; 0 if the event has none."""
    source_ips: tuple[str, ...]
    user_agent: str
    path: str
    """The URI of the request."""
    level: str
    stage: str
    audit_id: str
    changed: str = ""
    """What changed, by annotations; "" without them."""


@dataclass(frozen=True, slots=True)
class Answer(ABC):
    """What every answer has: how far the events reach, and how many entries did not fit in."""

    coverage: Coverage
    left_out: int

    @property
    @abstractmethod
    def found(self) -> bool:
        """Whether it holds what the question looks for."""

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What the found requests leave open."""
        return ()


def within(time: TimeRange, fits: Callable[[Event], bool]) -> Callable[[Event], bool]:
    """Whether an event fits and its request was in progress in this time."""
    if time.is_open:
        return fits
    return lambda event: fits(event) and time.overlaps(event.request_received_timestamp, event.stage_timestamp)


def one_per_request(sightings: Iterable[Sighting]) -> Iterator[Sighting]:
    """One sighting per request: its final stage, or the latest one if the events end before the request does.

    The stages of a request share audit id, user, verb, URI and time of receipt. The audit id alone is not enough: a
    client may send the same one with every request (header Audit-ID). A repeated event, from overlapping files, is
    skipped unless very many requests lie between.
    """
    unfinished: OrderedDict[Hashable, Sighting] = OrderedDict()
    finished: OrderedDict[Hashable, None] = OrderedDict()
    for sighting in sightings:
        event = sighting.event
        key = (event.audit_id, event.request_received_timestamp, event.request_uri, event.verb, event.user.username)
        if key in finished:
            continue
        if event.stage in _FINAL_STAGES:
            unfinished.pop(key, None)
            finished[key] = None
            if len(finished) > _OPEN_REQUESTS:
                finished.popitem(last=False)
            yield sighting
            continue
        unfinished[key] = sighting
        if len(unfinished) > _OPEN_REQUESTS:
            yield unfinished.popitem(last=False)[1]
    yield from unfinished.values()


def occurrence(sighting: Sighting) -> Occurrence:
    """What an answer shows of a request."""
    event = sighting.event
    reference = event.object_ref
    return Occurrence(
        time=event.request_received_timestamp,
        node=sighting.node,
        user=event.user.username,
        impersonated=event.impersonated_user.username if event.impersonated_user else "",
        verb=event.verb,
        resource=resource_name(reference),
        namespace=reference.namespace if reference else "",
        name=reference.name if reference else "",
        code=event.code,
        source_ips=event.source_ips,
        user_agent=event.user_agent,
        path=event.request_uri,
        level=event.level,
        stage=event.stage,
        audit_id=event.audit_id,
        changed=what_changed(event.annotations).summary,
    )


@dataclass(slots=True)
class Latest:
    """The latest occurrences, a fixed number of them."""

    limit: int
    left_out: int = 0
    _heap: list[tuple[datetime, int, Occurrence]] = field(default_factory=list)
    _added: int = 0

    def add(self, sighting: Sighting) -> None:
        """Keeps it, and drops the earliest if there are too many."""
        self._added += 1
        shown = occurrence(sighting)
        heapq.heappush(self._heap, (shown.time, self._added, shown))
        if len(self._heap) > self.limit:
            heapq.heappop(self._heap)
            self.left_out += 1

    def in_order(self) -> tuple[Occurrence, ...]:
        """The kept ones, oldest first."""
        return tuple(shown for _, _, shown in sorted(self._heap, key=lambda entry: entry[:2]))


@dataclass(slots=True)
class Group:
    """How many requests were alike, and when the first and the last of them was received."""

    count: int
    first: datetime
    last: datetime


@dataclass(slots=True)
class Groups(Generic[Key]):
    """Requests counted by what they have in common. Requests of groups beyond a fixed number only add to `left_out`."""

    left_out: int = 0
    _groups: dict[Key, Group] = field(default_factory=dict)

    def add(self, key: Key, event: Event) -> None:
        """Counts an event with those that have the same key."""
        moment = event.request_received_timestamp
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= KEPT_ENTRIES:
                self.left_out += 1
                return
            group = self._groups[key] = Group(0, moment, moment)
        group.count += 1
        group.first = min(group.first, moment)
        group.last = max(group.last, moment)

    def items(self) -> Iterable[tuple[Key, Group]]:
        """The groups by key."""
        return self._groups.items()
