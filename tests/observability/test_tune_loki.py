"""`tune` from a real Loki's sums beside `tune` from the files that hold the same events: the same steps and rates."""

from __future__ import annotations

import itertools
import json
import time
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditlog.cli import main
from auditlog.events.budget import Budget
from auditlog.events.event import Event, to_request
from auditlog.events.loki import LokiAccess, LokiClient
from auditlog.events.loki.store import LokiStore
from auditlog.events.sources import find_logs
from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import Level
from auditlog.policy.presets import preset_text
from auditlog.policy.read import read_policy
from auditlog.tuning.loki import tune_from_loki
from auditlog.tuning.search import Plan, Tuning
from auditlog.tuning.tune import TuneReport, tune
from tests.observability.given_events import metadata
from tests.observability.pipeline import running
from tests.unit.events import generate
from tests.unit.tuning import logs

POLICY = read_policy(preset_text("forensic"), "forensic")
TUNING = Tuning(POLICY, Budget(30, 300_000_000), sizes_bodies=False)
_BATCH = 1000
_HOURS = 3


@dataclass(frozen=True)
class Given:
    """The same events in files and in Loki."""

    folder: Path
    url: str
    store: LokiStore


_FEW = pytest.param({"max_query_series": 20}, id="few series at once", marks=pytest.mark.exhaustive)


@pytest.fixture(scope="module", params=[pytest.param({}, id="as shipped"), _FEW])
def given(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    """Two nodes' logs of three hours: the usual mix, and one with an attack in a noisy program's identity."""
    folder = tmp_path_factory.mktemp("tune")
    begin = datetime.now(UTC) - timedelta(hours=_HOURS, minutes=5)
    usual = generate.events(7, start=begin, seconds_between=_HOURS * 3600 / 6000)
    hidden = [_moved(each, begin - generate.START) for each in logs.events(8, 2000)[0]]
    content = {"cp1": _as_written(itertools.islice(usual, 6000)), "cp2": _as_written(hidden)}
    with running(folder / "loki", request.param) as pipeline:
        for node, events in content.items():
            (folder / node).mkdir()
            logs.written(folder / node, events)
            _push(pipeline.loki_url, node, events)
        client = LokiClient(LokiAccess(pipeline.loki_url))
        until = datetime.now(UTC)
        store = LokiStore(client, '{job="kubernetes-audit"}', until - timedelta(hours=_HOURS + 1), until)
        deadline = time.monotonic() + 60
        wanted = sum(map(len, content.values()))
        while sum(store.counts().values()) < wanted and time.monotonic() < deadline:
            time.sleep(1)
        yield Given(folder, pipeline.loki_url, store)


def test_the_sums_of_loki_lead_to_the_same_steps_as_the_files(given: Given) -> None:
    from_files, from_loki = _of_files(given), tune_from_loki(given.store, TUNING)

    assert _steps(from_loki.plan) == _steps(from_files.plan)
    assert _refused(from_loki.plan) == _refused(from_files.plan)
    assert from_loki.plan.policy == from_files.plan.policy
    assert from_loki.plan.chosen
    assert from_loki.plan.refused
    for loki, files in zip(from_loki.plan.rates, from_files.plan.rates, strict=True):
        assert loki.node == files.node
        for name in ("before", "after", "tried_before", "tried_after"):
            assert getattr(loki, name) == pytest.approx(getattr(files, name), rel=0.002), (loki.node, name)


def test_it_says_what_loki_cannot_know(given: Given) -> None:
    said = " ".join(tune_from_loki(given.store, TUNING).cannot_tell)
    assert "how much of an event is its body" in said
    assert "has no URL" in said


def test_the_command_asks_it(given: Given, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--keep", "30d", "--in", "300MB", "--policy", "preset:forensic", "-o", "json"]
    code = main(["tune", "--loki", given.url, "--since", "4h", *options])
    value = json.loads(capsys.readouterr().out)
    assert code == int(not value["met"])
    assert [each["node"] for each in value["nodes"]] == ["cp1", "cp2"]
    assert value["steps"]


def _of_files(given: Given) -> TuneReport:
    return tune(find_logs([f"{node}={given.folder / node}" for node in ("cp1", "cp2")]), TUNING)


def _steps(plan: Plan) -> set[str]:
    return {str(each.step) for each in plan.chosen}


def _refused(plan: Plan) -> set[str]:
    return {str(each.saving.step) for each in plan.refused}


def _as_written(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What an API server with the policy writes of these requests."""
    found = []
    for event in events:
        decision = evaluate(POLICY, to_request(msgspec.json.decode(generate.encode(event), type=Event)))
        left_out = {"requestObject"} if decision.level < Level.REQUEST else set()
        left_out |= {"responseObject"} if decision.level < Level.REQUEST_RESPONSE else set()
        if decision.level is not Level.NONE and event["stage"] not in decision.omit_stages:
            kept = {name: value for name, value in event.items() if name not in left_out}
            found.append({**kept, "level": decision.level.value})
    return found


def _moved(event: dict[str, Any], by: timedelta) -> dict[str, Any]:
    times = ("requestReceivedTimestamp", "stageTimestamp")
    return {**event, **{name: generate.timestamp(datetime.fromisoformat(event[name]) + by) for name in times}}


def _push(url: str, node: str, events: list[dict[str, Any]]) -> None:
    for start in range(0, len(events), _BATCH):
        values = []
        for event in events[start : start + _BATCH]:
            line = generate.encode(event).decode().removesuffix("\n")
            moment = datetime.fromisoformat(event["stageTimestamp"])
            nanoseconds = int(moment.timestamp()) * 10**9 + moment.microsecond * 1000
            values.append([str(nanoseconds), line, metadata(line)])
        stream = {"stream": {"job": "kubernetes-audit", "node": node}, "values": values}
        body = json.dumps({"streams": [stream]}).encode()
        request = urllib.request.Request(f"{url}/loki/api/v1/push", body, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            assert answer.status == 204
