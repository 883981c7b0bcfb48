"""`auditlog detections --replay` over files: every example that must ring does, and no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditlog.cli import main
from auditlog.detections.callers import Callers
from auditlog.detections.catalogue import DETECTIONS, find
from auditlog.detections.matching import fields_of, matcher
from auditlog.detections.model import Events
from auditlog.detections.rings import Occurrence, rings
from auditlog.events.event import Event
from tests.unit.detections.events import Example
from tests.unit.detections.examples import FIRES, QUIET

EVERY = [(each, example) for examples in (FIRES, QUIET) for each, found in examples.items() for example in found]
RECORDS_ALL = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n  - level: RequestResponse\n"


def counted(detection_id: str, example: Example) -> list[Occurrence]:
    detection = find(detection_id)
    assert detection is not None
    assert isinstance(detection.source, Events)
    match = matcher(detection.source)
    found = []
    for _, line in example.lines():
        event = msgspec.json.decode(line, type=Event)
        fields = fields_of(event)
        if match.asks(event) and match.passes(event, fields, line):
            labels = tuple(fields[name] for name in detection.source.by)
            found.append(Occurrence(event.stage_timestamp, labels, fields.get(detection.source.distinct, "")))
    return found


@pytest.mark.parametrize(("detection_id", "example"), EVERY, ids=[each for each, _ in EVERY])
def test_an_example_rings_as_in_loki(detection_id: str, example: Example) -> None:
    detection = find(detection_id)
    assert detection is not None
    assert isinstance(detection.source, Events)
    rang = rings(detection.source, detection.threshold, counted(detection_id, example))
    assert bool(rang) == (example in FIRES[detection_id])


def test_a_filter_of_an_unknown_form_is_an_error() -> None:
    for wrong in (
        Events((), Callers.ANYONE, (), fields=("code > 400",)),
        Events((), Callers.ANYONE, (), lines=("|> x",)),
    ):
        with pytest.raises(ValueError, match="cannot be evaluated here"):
            matcher(wrong)


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    code = main(["detections", "--replay", "--json", *arguments])
    return code, json.loads(capsys.readouterr().out)


def log(path: Path, *examples: Example) -> str:
    path.write_text("".join(f"{line}\n" for example in examples for _, line in example.lines()))
    return f"cp1={path}"


def test_what_would_have_rung_is_found_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = FIRES["exec-in-kube-system"][0]
    code, answer = asked(capsys, log(tmp_path / "audit.log", session))
    assert (code, answer["outcome"]) == (0, "found")
    (ring,) = (each for each in answer["rings"] if each["detection"] == "exec-in-kube-system")
    assert ring["summary"].startswith(ring["labels"]["user"])
    assert "{{" not in ring["summary"]
    assert set(answer["notRun"]) == {each.id for each in DETECTIONS if not isinstance(each.source, Events)}
    # The examples are of one moment, which is outside of this time.
    time = ["--since", "2027-01-15T09:00:00Z", "--until", "2027-01-15T10:00:00Z"]
    code, answer = asked(capsys, log(tmp_path / "audit.log", session), *time)
    assert (code, answer["outcome"], answer["rings"]) == (3, "cannot be known", [])
    assert any("no event of" in doubt for doubt in answer["doubts"])


def test_nothing_is_certain_only_with_policy_nodes_and_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(RECORDS_ALL)
    quiet = log(tmp_path / "audit.log", Example("system:apiserver[system:masters] get configmaps default/a"))
    moment = ["--since", "2027-01-15T08:00:00Z", "--until", "2027-01-15T08:00:00Z"]
    assert asked(capsys, quiet, *moment)[0] == 3
    assert asked(capsys, quiet, *moment, "--policy", str(policy))[0] == 3
    code, answer = asked(capsys, quiet, *moment, "--policy", str(policy), "--nodes", "1")
    assert (code, answer["doubts"]) == (1, [])
    code, answer = asked(capsys, quiet, *moment, "--policy", "preset:minimal", "--nodes", "1")
    assert code == 3
    assert any("the policy hides" in doubt for doubt in answer["doubts"])


def test_a_log_without_replay_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detections", log(tmp_path / "audit.log", FIRES["exec-session"][0])]) == 2
    assert "--replay" in capsys.readouterr().err
    assert main(["detections", "--replay"]) == 2
    assert "no log given" in capsys.readouterr().err
