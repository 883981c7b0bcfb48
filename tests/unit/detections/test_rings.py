"""When a detection would have rung, from the times of events alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from auditlog.detections.callers import Callers
from auditlog.detections.model import Events
from auditlog.detections.rings import Occurrence, Ring, rings

START = datetime(2026, 11, 29, 10, tzinfo=UTC)
COUNT = Events((), Callers.ANYONE, ("user",), window=300)
DISTINCT = Events((), Callers.ANYONE, ("user",), window=300, distinct="name")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def occurrences(*seconds: float, user: str = "alice", names: str = "") -> list[Occurrence]:
    return [Occurrence(at(second), (user,), names[number] if names else "") for number, second in enumerate(seconds)]


def test_single_events_ring_once_while_they_are_less_than_a_window_apart() -> None:
    assert rings(COUNT, 0, occurrences(0, 200, 400, 1000)) == [
        Ring(("alice",), at(0), at(400), 3 - 1),
        Ring(("alice",), at(1000), at(1000), 1),
    ]


def test_a_threshold_is_exceeded_within_the_window_alone() -> None:
    assert rings(COUNT, 2, occurrences(0, 301, 602)) == []
    assert rings(COUNT, 2, occurrences(0, 150, 300)) == [Ring(("alice",), at(0), at(300), 3)]


def test_the_order_of_arrival_does_not_matter() -> None:
    late = occurrences(300, 0, 150)
    assert rings(COUNT, 2, late) == [Ring(("alice",), at(0), at(300), 3)]


def test_labels_are_counted_apart() -> None:
    both = occurrences(0, 1) + occurrences(2, 3, user="bob")
    assert rings(COUNT, 2, both) == []
    assert [ring.labels for ring in rings(COUNT, 1, both)] == [("alice",), ("bob",)]


def test_different_values_are_counted_where_the_detection_does() -> None:
    assert rings(DISTINCT, 1, occurrences(0, 1, 2, names="aaa")) == []
    assert rings(DISTINCT, 1, occurrences(0, 1, 2, names="aba")) == [Ring(("alice",), at(0), at(2), 2)]
