"""What `auditlog detections --cost` says, against what real Loki says that it has read. No lab is needed."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from auditlog.cli import main
from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.model import Events
from auditlog.detections.schedule import schedule_of
from auditlog.observe.cost import seconds_read
from auditlog.observe.dashboards import DashboardOptions, all_dashboards
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_expressions
from tests.grafana import Query, built_in, fill, initial_state, queries
from tests.observability.given_events import push_lines
from tests.observability.pipeline import running
from tests.unit.detections.events import Example

SPAN, STEP = 1200, 30
A_SECOND = 4
"""Events a second."""
DASHBOARDS = [json.loads(each.json) for each in all_dashboards(DashboardOptions())]
ON_LOKI = [
    (dashboard, query)
    for dashboard in DASHBOARDS
    for query in queries(dashboard)
    if query.datasource == "loki" and query.kind != "label" and not query.owner.startswith("New source")
]
BLOCK = 256 * 1024
"""Bytes of a chunk's block before compression (`ingester.chunk_block_size`), the least that Loki reads at once."""
BASELINE = {"baseline": "1d"}


@dataclass(frozen=True)
class Steady:
    """A Loki that got equal events at a steady rate over ``SPAN`` seconds up to ``end``."""

    url: str
    end: float

    def read(self, query: str, kind: str = "instant") -> int:
        """The bytes that Loki has read for a query, as its answer says."""
        parameters = {"query": query}
        if kind == "instant":
            parameters["time"] = f"{self.end:.3f}"
        else:
            parameters |= {"start": f"{self.end - SPAN:.3f}", "end": f"{self.end:.3f}", "limit": "1000"}
            parameters |= {"step": str(STEP)}
        path = "query" if kind == "instant" else "query_range"
        with urllib.request.urlopen(  # noqa: S310
            f"{self.url}/loki/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=60
        ) as answer:
            return int(json.load(answer)["data"]["stats"]["summary"]["totalBytesProcessed"])

    @property
    def a_second(self) -> float:
        """The bytes of a second of the log, by what a count of everything reads."""
        return self.read(f'sum(count_over_time({{job="kubernetes-audit"}} [{SPAN}s]))') / SPAN


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Steady]:
    with running(tmp_path_factory.mktemp("cost")) as pipeline:
        end = time.time() - 1
        lines = []
        for number in range(SPAN * A_SECOND):
            moment = end - SPAN + number / A_SECOND
            ((_, line),) = Example("system:node:w1[system:nodes] patch pods/status default/web").lines(moment)
            lines.append((moment, line))
        push_lines(pipeline.loki_url, "prod", "cp1", lines)
        yield Steady(pipeline.loki_url, end)


def test_a_rule_reads_its_window_as_often_as_it_runs(steady: Steady) -> None:
    second = steady.a_second
    for each in DETECTIONS:
        schedule = schedule_of(each)
        if isinstance(each.source, Events) and schedule.window <= SPAN:
            expression, *_ = loki_expressions(RuleScope("prod"), each)
            read, said = steady.read(expression), second * schedule.window
            assert 0.95 * said <= read <= 1.05 * said + BLOCK, each.id


@pytest.mark.parametrize(("dashboard", "query"), ON_LOKI, ids=[query.owner for _, query in ON_LOKI])
def test_a_panel_reads_no_more_than_it_is_said_to(dashboard: dict[str, object], query: Query, steady: Steady) -> None:
    said = steady.a_second * seconds_read(query.text, SPAN, BASELINE)
    text = fill(query, dashboard, initial_state(dashboard), built_in(query, window=SPAN, step=STEP))
    read = steady.read(text, query.kind)
    assert read <= 1.05 * said + (BLOCK if said else 0)
    # The window half an hour back of *Silent nodes* is longer than this log.
    if not query.is_log_query and query.owner != "Silent nodes":
        assert read >= 0.9 * said


def test_the_cost_of_a_day(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detections", "--cost", "--gigabytes-per-day", "500", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    costs = {each["detection"]: each["gigabytesReadPerDay"] for each in answer["rules"]}
    assert costs["exec-in-kube-system"] == 1000
    assert costs["impersonation"] == 600
    assert {each["panel"]: each["gigabytesReadEachTime"] for each in answer["panels"]}["Event"] == 0
    assert main(["detections", "--cost", "--gigabytes-per-day", "0"]) == 2
