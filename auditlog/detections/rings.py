"""When a detection would have rung over a stretch of the log, however late its events arrived.

A rule looks at the last minutes of its own clock and sees nothing of what arrives later. Here the times of events
count. A detection rings from the event with which it exceeds its threshold within its window, until the window is past.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditlog.detections.model import Detection, Events

_LABEL = re.compile(r"\{\{ \$labels\.(\w+) \}\}")
_VALUE = "{{ $value | humanize }}"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One event that a detection counts. ``labels`` tell alerts apart; ``distinct`` is what it counts values of."""

    moment: datetime
    labels: tuple[str, ...]
    distinct: str = ""


@dataclass(frozen=True, slots=True)
class Ring:
    """One alert that would have been: its labels, its first and last event, and the most within one window."""

    labels: tuple[str, ...]
    first: datetime
    last: datetime
    value: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """What one detection would have rung."""

    detection: Detection
    rings: tuple[Ring, ...]


def replayed(detection: Detection, occurrences: Iterable[Occurrence], threshold: float | None = None) -> Replayed:
    """The alerts of a detection on events; without a ``threshold`` by that of the catalogue."""
    source = detection.source
    assert isinstance(source, Events)  # noqa: S101 - nothing else has occurrences
    exceeded = detection.threshold if threshold is None else threshold
    return Replayed(detection, tuple(rings(source, exceeded, occurrences)))


def labels_of(detection: Detection, ring: Ring) -> dict[str, str]:
    """The labels of an alert by their names."""
    by = detection.source.by if isinstance(detection.source, Events) else ()
    return dict(zip(("cluster", *by), ring.labels, strict=True))


def summary_of(detection: Detection, ring: Ring) -> str:
    """The sentence of an alert, as Alertmanager would fill it in."""
    labels = labels_of(detection, ring)
    return _LABEL.sub(lambda match: labels.get(match[1], ""), detection.summary).replace(_VALUE, str(ring.value))


def rings(events: Events, threshold: float, occurrences: Iterable[Occurrence]) -> list[Ring]:
    """The alerts of a detection, oldest first. ``threshold`` is what the count within its window must exceed."""
    by_labels: dict[tuple[str, ...], list[Occurrence]] = {}
    for each in occurrences:
        by_labels.setdefault(each.labels, []).append(each)
    window = timedelta(seconds=events.window)
    found = [ring for each in by_labels.values() for ring in _of_one(each, window, threshold, bool(events.distinct))]
    return sorted(found, key=lambda ring: (ring.first, ring.labels))


def _of_one(occurrences: list[Occurrence], window: timedelta, threshold: float, is_distinct: bool) -> Iterator[Ring]:
    """The alerts of one set of labels. Two that are less than a window apart are one."""
    inside: deque[Occurrence] = deque()
    current: Ring | None = None
    for each in sorted(occurrences, key=lambda occurrence: occurrence.moment):
        inside.append(each)
        while each.moment - inside[0].moment > window:
            inside.popleft()
        value = len({one.distinct for one in inside}) if is_distinct else len(inside)
        if value <= threshold:
            continue
        if current is not None and inside[0].moment <= current.last:
            current = Ring(current.labels, current.first, each.moment, max(current.value, value))
        else:
            if current is not None:
                yield current
            current = Ring(each.labels, inside[0].moment, each.moment, value)
    if current is not None:
        yield current
