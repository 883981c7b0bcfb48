"""Events that reach Loki too late for the rules, and what `auditlog detections --replay` makes of them. No lab."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from auditlog.cli import main
from auditlog.detections.catalogue import find
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_expressions
from lab.observability import loki_api
from tests.observability.given_events import push_lines
from tests.observability.pipeline import running
from tests.unit.detections.examples import FIRES, QUIET

LATE = 1800


@pytest.fixture(scope="module")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("replay")) as pipeline:
        yield pipeline.loki_url


def replayed(url: str, cluster: str, since: float, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    time_range = ["--since", datetime.fromtimestamp(since, UTC).isoformat()]
    code = main(["detections", "--replay", "--loki", url, "--cluster", cluster, *time_range, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("detection_id", ["exec-in-kube-system", "secret-sweep"])
def test_late_events_ring_in_no_rule_and_in_the_replay(
    loki: str, detection_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    detection = find(detection_id)
    assert detection is not None
    cluster, moment = f"late-{detection_id}", time.time() - LATE
    push_lines(loki, cluster, "cp1", FIRES[detection_id][0].lines(moment))
    rule, *_ = loki_expressions(RuleScope(cluster), detection)
    assert loki_api.instant(loki, rule, time.time_ns()) == []
    assert loki_api.instant(loki, rule, int((moment + 30) * 1e9)), "in time it would have"
    code, answer = replayed(loki, cluster, moment - 60, capsys)
    assert code == 0
    (ring,) = (each for each in answer["rings"] if each["detection"] == detection_id)
    assert abs(datetime.fromisoformat(ring["first"]).timestamp() - moment) < 1
    assert ring["labels"]["cluster"] == cluster


def test_the_replay_of_loki_is_that_of_a_file(loki: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every example of every detection, half a minute apart, in one log."""
    examples = [example for each in (FIRES, QUIET) for found in each.values() for example in found]
    start = time.time() - 30 * len(examples) - 60
    lines: list[tuple[float, str]] = []
    for number, example in enumerate(examples):
        for moment, line in example.lines(start + 30 * number):
            event = json.loads(line)
            event["stageTimestamp"] = datetime.fromtimestamp(moment, UTC).isoformat()
            event["auditID"] = f"{number}-{len(lines)}"
            text = json.dumps(event, separators=(",", ":"))
            lines.append((moment, text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")))
    push_lines(loki, "all", "cp1", lines)
    path = tmp_path / "audit.log"
    path.write_text("".join(f"{line}\n" for _, line in lines))
    _, of_loki = replayed(loki, "all", start - 60, capsys)
    main(["detections", "--replay", f"cp1={path}", "--json"])
    of_file = json.loads(capsys.readouterr().out)
    assert _what_rang(of_loki) == _what_rang(of_file)
    assert {each["detection"] for each in of_file["rings"]} >= FIRES.keys()


def _what_rang(answer: Any) -> list[tuple[str, int, str]]:
    return sorted((each["detection"], each["value"], each["summary"]) for each in answer["rings"])
