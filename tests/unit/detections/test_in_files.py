"""Detections on the events of files: the examples of the catalogue fire, and those that must not do not."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.in_files import Watches
from auditlog.detections.model import Detection, Events
from auditlog.events.event import FullEvent, Recorded
from tests.unit.detections.events import Example
from tests.unit.detections.examples import FIRES, QUIET

ON_EVENTS = [each for each in DETECTIONS if isinstance(each.source, Events)]


def fired(examples: Iterable[Example]) -> set[str]:
    watches = Watches()
    for example in examples:
        for _, line in example.lines():
            event = msgspec.json.decode(line, type=FullEvent)
            watches.note(Recorded("cp1", event, line.encode()))
    return {each.detection for each in watches.fired()}


@pytest.mark.parametrize("detection", ON_EVENTS, ids=lambda each: each.id)
def test_what_fires_in_loki_fires_from_files(detection: Detection) -> None:
    assert detection.id in fired(FIRES[detection.id])


@pytest.mark.parametrize("detection", ON_EVENTS, ids=lambda each: each.id)
def test_what_must_not_fire_does_not(detection: Detection) -> None:
    for example in QUIET[detection.id]:
        assert detection.id not in fired([example]), example


@pytest.mark.parametrize("detection", ON_EVENTS, ids=lambda each: each.id)
def test_what_was_remembered_of_one_request_is_not_taken_for_another(detection: Detection) -> None:
    """Every example of the catalogue before those that must fire: their combinations are remembered."""
    others = [example for examples in QUIET.values() for example in examples]
    alone, after = fired(FIRES[detection.id]), fired([*others, *FIRES[detection.id]])
    assert alone <= after
