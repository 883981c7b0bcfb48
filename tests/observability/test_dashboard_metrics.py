"""The PromQL of the dashboards with every option, read and evaluated by real promtool. No lab is needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditlog.observe.dashboards import DashboardOptions, all_dashboards
from auditlog.observe.dashboards.queries import pipeline, volume
from tests.grafana import Query, built_in, fill, initial_state, queries, variables
from tests.observability.test_prometheus_rules import promtool

OPTIONS = DashboardOptions()
DASHBOARDS = [json.loads(each.json) for each in all_dashboards(OPTIONS)]
STRANGE = ('a"b', "a\\b", "o'hara", "a.b|c", "x{y}")
"""Clusters whose names a regular expression or a string would take for something else."""


def test_every_query_is_promql_with_every_option(tmp_path: Path) -> None:
    rules: list[dict[str, str]] = []
    for dashboard in DASHBOARDS:
        initial = initial_state(dashboard)
        states = [{**initial, "cluster": cluster} for cluster in (*((each,) for each in STRANGE[1:]), STRANGE[1:])]
        states += [
            {**initial, name: value} for name, each in variables(dashboard).items() for value in each.selections()
        ]
        for query in queries(dashboard):
            if query.datasource == "prometheus":
                filled = {fill(query, dashboard, state, built_in(query, window=3600, step=30)) for state in states}
                rules += [{"record": f"a:{len(rules)}:{number}", "expr": each} for number, each in enumerate(filled)]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    checked = promtool("check", "rules", "--lint=none", str(path))
    assert checked.returncode == 0, checked.stderr
    assert len(rules) > 100


def evaluated(
    tmp_path: Path, expression: str, series: Mapping[str, str], minute: int, expected: Mapping[str, float]
) -> None:
    """Asserts what an expression gives at a minute: values by their label sets, as promtool writes them."""
    samples: list[dict[str, Any]] = [{"labels": labels, "value": value} for labels, value in expected.items()]
    test = {
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        "promql_expr_test": [{"expr": expression, "eval_time": f"{minute}m", "exp_samples": samples}],
    }
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": "1m", "tests": [test]}))
    ran = promtool("test", "rules", str(path))
    assert ran.returncode == 0, ran.stdout + ran.stderr


def filled(text: str) -> str:
    query = Query("kubernetes-audit-volume", "", "prometheus", "instant", text)
    dashboard = next(each for each in DASHBOARDS if each["uid"] == "kubernetes-audit-volume")
    return fill(query, dashboard, initial_state(dashboard), built_in(query, window=3600, step=60, scrape=60))


def disk(instance: str, free: int) -> dict[str, str]:
    own = f'cluster="prod", instance="{instance}", mountpoint="/"'
    return {f"node_filesystem_avail_bytes{{{own}}}": f"{free}x30", f"node_filesystem_size_bytes{{{own}}}": "100x30"}


API_SERVER = 'process_start_time_seconds{cluster="prod", job="apiserver", instance="10.0.0.1:6443"}'


def test_disks_of_workers_are_left_out(tmp_path: Path) -> None:
    series = {API_SERVER: "0x30", **disk("10.0.0.1:9100", 25), **disk("10.0.0.9:9100", 5)}
    shown = '{cluster="prod", host="10.0.0.1", instance="10.0.0.1:9100", mountpoint="/"}'
    evaluated(tmp_path, filled(volume.disk_used(OPTIONS)), series, 10, {shown: 0.75})


def test_all_disks_are_shown_where_hosts_have_other_names(tmp_path: Path) -> None:
    series = {API_SERVER: "0x30", **disk("cp1", 25), **disk("worker1", 50)}
    names = {
        name: f'{{cluster="prod", host="{name}", instance="{name}", mountpoint="/"}}' for name in ("cp1", "worker1")
    }
    expected = {names["cp1"]: 0.75, names["worker1"]: 0.5}
    evaluated(tmp_path, filled(volume.disk_used(OPTIONS)), series, 10, expected)


@pytest.mark.parametrize(
    ("values", "minute", "grown"),
    [
        ("_x10 1x20", 11, 1),  # born with its first error
        ("_x10 1x20", 20, 0),
        ("5x10 _x15 5x10", 26, None),  # missing scrapes: not born again
        ("0+2x30", 20, 8),
    ],
)
def test_a_counter_that_begins_at_one_has_grown(tmp_path: Path, values: str, minute: int, grown: float | None) -> None:
    series = {'loki_discarded_samples_total{cluster="prod", reason="line_too_long"}': values}
    expected = {} if grown is None else {'{reason="line_too_long"}': grown}
    evaluated(tmp_path, filled(pipeline.LOKI_DISCARDED), series, minute, expected)
