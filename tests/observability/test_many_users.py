"""A log of 100,000 users and 10,000 Secrets: no panel of a dashboard fails. No lab is needed.

Loki divides queries over as little as this log has, as it does at half a terabyte a day, and keeps its usual limit of
500 series.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from auditlog.detections.catalogue import find
from auditlog.observe.dashboards import DashboardOptions, all_dashboards
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_expressions
from tests.grafana import Query, built_in, fill, initial_state, queries
from tests.observability.given_events import push_lines
from tests.observability.pipeline import running
from tests.unit.detections.events import Example

pytestmark = pytest.mark.exhaustive

USERS, SECRETS = 100_000, 10_000
SWEPT = 5_000
"""Secrets that one user reads at once, ten times as many as Loki counts in one query."""
SPAN, STEP = 1200, 30
DASHBOARDS = [json.loads(each.json) for each in all_dashboards(DashboardOptions())]
ON_LOKI = [
    (dashboard, query)
    for dashboard in DASHBOARDS
    for query in queries(dashboard)
    if query.datasource == "loki" and query.kind != "label"
]
LIMITS = {
    "max_query_series": 500,
    "tsdb_max_query_parallelism": 32,
    "tsdb_max_bytes_per_shard": "1MB",
    "per_stream_rate_limit": "512MB",
    "per_stream_rate_limit_burst": "512MB",
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("users"), LIMITS) as pipeline:
        line = Example("alice[dev] get secrets default/a").lines()[0][1]
        refused = Example("alice[dev] delete secrets default/a", code=403).lines()[0][1]
        start = time.time() - SPAN
        lines = []
        for number in range(USERS):
            text = (refused if number % 5 == 0 else line).replace('"alice"', f'"user-{number}@example.com"')
            text = text.replace('"name":"a"', f'"name":"secret-{number % SECRETS}"')
            text = text.replace("00000000-0000-4000-8000-000000000000", f"00000000-0000-4000-8000-{number:012}")
            lines.append((start + number * SPAN / USERS, text))
        swept = line.replace('"alice"', '"sweeper"')
        now = time.time() - 60
        many = [(now + each / 1000, swept.replace('"name":"a"', f'"name":"s-{each}"')) for each in range(SWEPT)]
        push_lines(pipeline.loki_url, "prod", "cp1", lines)
        push_lines(pipeline.loki_url, "swept", "cp1", many)
        yield pipeline.loki_url


def ask(url: str, text: str, kind: str) -> list[Any]:
    end = time.time()
    parameters = {"query": text}
    if kind == "instant":
        parameters["time"] = f"{end:.3f}"
    else:
        limit = "5000" if "keep" in text else "1000"
        parameters |= {"start": f"{end - SPAN:.3f}", "end": f"{end:.3f}", "limit": limit, "step": str(STEP)}
    path = "query" if kind == "instant" else "query_range"
    encoded = urllib.parse.urlencode(parameters)
    with urllib.request.urlopen(f"{url}/loki/api/v1/{path}?{encoded}", timeout=120) as answer:  # noqa: S310
        result: list[Any] = json.load(answer)["data"]["result"]
        return result


def test_a_ranking_by_user_as_a_metric_fails_here(url: str) -> None:
    by_user = f'topk(10, sum by (user) (count_over_time({{job="kubernetes-audit"}} [{SPAN}s])))'
    with pytest.raises(urllib.error.HTTPError) as refusal:
        ask(url, by_user, "instant")
    with refusal.value:
        assert "maximum number of series" in refusal.value.read().decode()


def test_who_reads_very_many_secrets_does_not_hide_behind_their_number(url: str) -> None:
    detection = find("secret-sweep")
    assert detection is not None
    exact, flood = loki_expressions(RuleScope("swept"), detection)
    with pytest.raises(urllib.error.HTTPError) as refusal:
        ask(url, exact, "instant")
    refusal.value.close()
    (found,) = ask(url, flood, "instant")
    assert found["metric"]["user"] == "sweeper"


@pytest.mark.parametrize(("dashboard", "query"), ON_LOKI, ids=[query.owner for _, query in ON_LOKI])
def test_no_panel_fails(dashboard: dict[str, object], query: Query, url: str) -> None:
    text = fill(query, dashboard, initial_state(dashboard), built_in(query, window=SPAN, step=STEP))
    ask(url, text, query.kind)
