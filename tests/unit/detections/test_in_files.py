"""Detections on the events of files: the examples of the catalogue fire, and those that must not do not."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.in_files import Watches
from auditlog.detections.model import Detection, Events
from auditlog.detections.rings import replayed
from auditlog.events.event import FullEvent
from tests.unit.detections import annotated_examples
from tests.unit.detections.events import Example
from tests.unit.detections.examples import FIRES, QUIET

ON_EVENTS = [each for each in DETECTIONS if isinstance(each.source, Events)]


def fired(examples: Iterable[Example]) -> set[str]:
    watches = Watches()
    for example in examples:
        for _, line in example.lines():
            event = msgspec.json.decode(line, type=FullEvent)
            watches.note(event, line.encode())
    rang = (replayed(each, counted) for each, counted in watches.counted.items())
    return {each.detection.id for each in rang if each.rings}


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


@pytest.mark.parametrize("detection_id", annotated_examples.FIRES)
def test_an_annotation_stands_for_the_body(detection_id: str) -> None:
    for example in annotated_examples.FIRES[detection_id]:
        assert detection_id in fired([example]), example
    for example in annotated_examples.QUIET[detection_id]:
        assert detection_id not in fired([example]), example
