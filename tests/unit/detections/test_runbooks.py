"""Every detection has a runbook, and what it says of the detection and of the commands is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from auditlog.cli import build_parser
from auditlog.detections.annotated import annotated_form
from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.logql import reading_query
from auditlog.detections.model import Detection, Events

ROOT = Path(__file__).parents[3]
SECTIONS = ["What happened", "How to look", "What to do", "When it is harmless"]
IDS = {each.id for each in DETECTIONS}


def runbook(detection: Detection) -> str:
    return (ROOT / detection.runbook).read_text()


def test_every_detection_has_a_runbook_and_every_runbook_a_detection() -> None:
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "docs/runbooks").iterdir()}
    assert there == {each.runbook for each in DETECTIONS}


@pytest.mark.parametrize("detection", DETECTIONS, ids=lambda each: each.id)
def test_a_runbook_says_what_the_catalogue_says(detection: Detection) -> None:
    text = runbook(detection)
    assert text.startswith(f"# {detection.title}\n\nAlert `{detection.alert}`, {detection.severity.value}.\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    words = " ".join(text.split())
    assert " ".join(detection.meaning.split()) in words
    assert " ".join(detection.false_positives.split()) in words
    if isinstance(detection.source, Events):
        assert f"```logql\n{reading_query(detection.source)}\n```" in text
        annotated = detection.source.annotated
        if annotated is not None:
            assert f"```logql\n{reading_query(annotated_form(detection.source, annotated))}\n```" in text


@pytest.mark.parametrize("detection", DETECTIONS, ids=lambda each: each.id)
def test_its_steps_are_numbered_and_its_commands_exist(detection: Detection) -> None:
    text = runbook(detection)
    numbers = re.findall(r"^(\d+)\. ", text, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert numbers
    for command in re.findall(r"`auditlog ([^`]+)`", text):
        words = [{"TIME": "2h", "USER": "alice"}.get(word, word) for word in shlex.split(command)]
        if len(words) > 1:
            build_parser().parse_args(words)


@pytest.mark.parametrize("detection", DETECTIONS, ids=lambda each: each.id)
def test_it_refers_to_detections_and_settings_that_there_are(detection: Detection) -> None:
    text = " ".join(runbook(detection).split())
    assert set(re.findall(r"[Ss]ee `([a-z-]+)`", text)) <= IDS
    assert set(re.findall(r"`alerts\.(?:thresholds|ignoreUsers)\.([a-z-]+)`", text)) <= IDS
