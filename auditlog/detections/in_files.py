"""Which detections would have fired, from the events of files: what Loki's ruler does, without Loki."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime

from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.matching import Matcher, combination, fields_of, matcher
from auditlog.detections.model import Detection, Events
from auditlog.detections.rings import Occurrence
from auditlog.events.event import Event

REMEMBERED_COMBINATIONS = 50_000


class Watches:
    """Detections on events, and what they have counted so far; events are given in any order.

    ``chosen`` are those to look for, ``ignored_users`` whom each leaves alone, by its id. ``counted`` is what each has
    counted so far.
    """

    def __init__(
        self, chosen: Collection[Detection] = DETECTIONS, ignored_users: Mapping[str, Collection[str]] | None = None
    ) -> None:
        ignored = ignored_users or {}
        self.counted: dict[Detection, list[Occurrence]] = {
            each: [] for each in chosen if isinstance(each.source, Events)
        }
        self._watched = tuple(
            (each, each.source, matcher(each.source, ignored.get(each.id, ())))
            for each in chosen
            if isinstance(each.source, Events)
        )
        self._asking: dict[tuple[object, ...], tuple[tuple[Detection, Events, Matcher], ...]] = {}

    def note(self, event: Event, line: bytes) -> None:
        """Notes an event, which is in this line, for every detection that counts it."""
        key = combination(event, _NAMED)
        asking = self._asking.get(key)
        if asking is None:
            asking = tuple(each for each in self._watched if each[2].asks(event))
            if len(self._asking) < REMEMBERED_COMBINATIONS:
                self._asking[key] = asking
        if not asking:
            return
        text, fields = line.decode(errors="replace"), fields_of(event)
        for detection, source, match in asking:
            # Who asks for such an event is known by now.
            if match.passes(event, fields, text):
                self.counted[detection].append(occurrence(source, event.stage_timestamp, fields.get))


def occurrence(source: Events, moment: datetime, field: Callable[[str], str | None]) -> Occurrence:
    """What a detection keeps of an event that it counts; ``field`` gives a field by its name."""
    labels = tuple(field(name) or "" for name in ("cluster", *source.by))
    return Occurrence(moment, labels, (field(source.distinct) or "") if source.distinct else "")


def not_evaluated() -> Iterator[Detection]:
    """Detections that need more than the events of a log: metrics, and the absence of events."""
    return (each for each in DETECTIONS if not isinstance(each.source, Events))


_NAMED = frozenset(
    name
    for each in DETECTIONS
    if isinstance(each.source, Events)
    for requests in each.source.requests
    for entry in requests.resources
    for name in entry.resource_names
)
"""Objects that a detection names; any other name decides nothing."""
