"""The generated dashboards: what each of them keeps, and that the lint that says so can fail."""

from __future__ import annotations

import copy
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from auditlog.manifest.desired import POLICY_ANNOTATION
from auditlog.observe.dashboards import DashboardOptions, all_dashboards
from auditlog.observe.dashboards.thresholds import Levels
from lab.paths import REPOSITORY
from tests.grafana import (
    ALL,
    Variable,
    built_in,
    custom_options,
    fill,
    formatted,
    initial_state,
    named_variables,
    panels,
    queries,
    variables,
)
from tests.unit.observe.dashboards.colours import distance
from tests.unit.observe.dashboards.lint import problems

DASHBOARDS = all_dashboards(DashboardOptions())
PARSED: dict[str, dict[str, Any]] = {each.uid: json.loads(each.json) for each in DASHBOARDS}


@pytest.mark.parametrize("uid", PARSED)
def test_a_dashboard_keeps_the_rules(uid: str) -> None:
    assert problems(PARSED[uid]) == []


def test_the_dashboards_are_four_with_stable_addresses() -> None:
    assert [(each.uid, each.path, each.file_name) for each in DASHBOARDS] == [
        (f"kubernetes-audit-{name}", f"/d/kubernetes-audit-{name}", f"kubernetes-audit-{name}.json")
        for name in ("who", "security", "volume", "pipeline")
    ]
    assert all(PARSED[each.uid]["uid"] == each.uid for each in DASHBOARDS)


def test_the_same_options_give_the_same_bytes_in_every_process() -> None:
    program = (
        "from auditlog.observe.dashboards import *;"
        "print(''.join(each.json for each in all_dashboards(DashboardOptions())), end='')"
    )
    for seed in ("1", "2"):
        made = subprocess.run(
            [sys.executable, "-c", program],
            cwd=REPOSITORY,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert made.stdout == "".join(each.json for each in DASHBOARDS)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.uid)
def test_keys_are_sorted_so_that_a_diff_shows_what_changed(dashboard: Any) -> None:
    assert dashboard.json == json.dumps(json.loads(dashboard.json), sort_keys=True, indent=1) + "\n"


@pytest.mark.parametrize("uid", PARSED)
def test_every_query_can_be_filled_with_every_option(uid: str) -> None:
    dashboard = PARSED[uid]
    first = initial_state(dashboard)
    states = [first] + [
        {**first, name: value} for name, variable in variables(dashboard).items() for value in variable.selections()
    ]
    for query in queries(dashboard):
        for state in states:
            filled = fill(query, dashboard, state, built_in(query, window=3600, step=30))
            assert named_variables(filled) == set(), query


def test_a_comma_in_the_label_of_an_option_does_not_divide_it() -> None:
    assert variables(PARSED["kubernetes-audit-who"])["code"].options["refused (401, 403)"] == "401|403"
    assert custom_options("a, b : c, d\\, e : f") == {"a": "a", "b": "c", "d, e": "f"}


def test_values_reach_loki_as_grafana_sends_them() -> None:
    several = Variable("v", "custom", ALL, multi=True, include_all=True, all_value=".*", options={"a": "4..", "b": "x"})
    assert formatted(several, ("4..", "x"), "pipe") == "4..|x"
    assert formatted(several, ALL, "queryparam") == "var-v=All"
    assert formatted(several, ALL, "pipe") == ".*"
    assert formatted(several, ("a&b", "c"), "queryparam") == "var-v=a%26b&var-v=c"


def test_what_reads_most_is_read_only_where_a_row_is_opened() -> None:
    for uid, opened in (("security", {"At a glance"}), ("volume", {"At a glance", "What is recorded"})):
        dashboard = PARSED[f"kubernetes-audit-{uid}"]
        rows = [panel for panel in dashboard["panels"] if panel["type"] == "row" and not panel["panels"]]
        loki = {panel["title"] for panel in dashboard["panels"] if panel.get("datasource", {}).get("type") == "loki"}
        assert opened <= {row["title"] for row in rows}
        assert not loki or uid == "security"


def test_options_reach_the_queries() -> None:
    options = DashboardOptions('job="my-api"', "/data/audit/kube.log", 4242)
    texts = {each.uid: each.json for each in all_dashboards(options)}
    assert "4242" in texts["kubernetes-audit-volume"]
    assert 'mountpoint=~\\"/data/audit|/data|/\\"' in texts["kubernetes-audit-volume"]
    for uid in ("kubernetes-audit-volume", "kubernetes-audit-pipeline"):
        metrics = [query.text for query in queries(json.loads(texts[uid])) if "apiserver_audit" in query.text]
        assert metrics
        assert all('job="my-api"' in text for text in metrics)


def test_the_policy_panel_asks_for_the_annotation_that_the_manifest_carries() -> None:
    name = "annotation_" + POLICY_ANNOTATION.replace("/", "_").replace("-", "_")
    (panel,) = (each for each in panels(PARSED["kubernetes-audit-pipeline"]) if each["title"] == "Policy by node")
    assert name in panel["targets"][0]["expr"]
    assert POLICY_ANNOTATION in panel["description"]


def test_links_from_a_table_lead_to_the_search() -> None:
    text = json.dumps(PARSED["kubernetes-audit-security"])
    names = {variable["name"] for variable in PARSED["kubernetes-audit-who"]["templating"]["list"]}
    linked = {part.split("=")[0] for part in text.split("&var-")[1:]}
    assert set(variables(PARSED["kubernetes-audit-who"])) - {"cluster"} <= linked
    assert linked
    assert linked <= names


@pytest.mark.parametrize(
    ("levels", "steps"),
    [
        (Levels(), [(None, "text")]),
        (Levels(look=1), [(None, "blue"), (1, "orange")]),
        (Levels(look=1, bad=5), [(None, "blue"), (1, "orange"), (5, "red")]),
        (Levels(look=30, bad=7, falling=True), [(None, "red"), (7, "orange"), (30, "blue")]),
    ],
)
def test_thresholds_rise_also_where_less_is_worse(levels: Levels, steps: list[tuple[float | None, str]]) -> None:
    assert [(step.value, step.color) for step in levels.build().build().steps] == steps


def colours(dashboard: dict[str, Any]) -> Iterator[set[str]]:
    """The colours that stand for something side by side: of each panel's thresholds, and of all marks."""
    yield {each["iconColor"] for each in dashboard["annotations"]["list"]}
    for panel in panels(dashboard):
        steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
        yield {step["color"] for step in steps} - {"text"}


def test_no_eyes_take_one_colour_for_another() -> None:
    assert distance("green", "red") < 10, "what this is about: Grafana's own for good and bad"
    for uid, dashboard in PARSED.items():
        for together in colours(dashboard):
            for one, other in itertools.combinations(sorted(together), 2):
                assert distance(one, other) > 25, f"{uid}: {one} and {other}"


def test_a_phone_shows_rows_before_their_panels_and_no_panel_higher_than_its_screen() -> None:
    """Below 769 pixels Grafana puts panels under each other, by their place; one unit is 38 pixels, a phone has 640."""
    for uid, dashboard in PARSED.items():
        places = [(each["gridPos"]["y"], each["gridPos"]["x"]) for each in dashboard["panels"]]
        assert places == sorted(places), f"{uid}: the order of the text is not that of the screen"
        for panel in panels(dashboard):
            assert panel["gridPos"]["h"] * 38 <= 640, f"{uid}: {panel['title']}"
            legend = panel.get("options", {}).get("legend", {})
            assert legend.get("placement", "bottom") == "bottom", f"{uid}: {panel['title']} leaves its graph no width"


def test_marks_of_what_was_rolled_out_are_off_and_ask_no_loki() -> None:
    for uid in ("security", "volume", "pipeline"):
        marks = {each["name"]: each for each in PARSED[f"kubernetes-audit-{uid}"]["annotations"]["list"]}
        assert {name for name, each in marks.items() if each["enable"]} == {"API server started", "Policy changed"}
        assert "kube_replicaset_created" in marks["Deployment rolled out"]["expr"]
        assert {each["datasource"]["type"] for each in marks.values()} == {"prometheus"}


def _first(dashboard: dict[str, Any]) -> dict[str, Any]:
    return next(panel for panel in dashboard["panels"] if panel["type"] != "row")


def _without_cluster(dashboard: dict[str, Any]) -> None:
    target = _first(dashboard)["targets"][0]
    target["expr"] = target["expr"].replace(', cluster=~"$cluster"', "")


SPOILED: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda d: d.update(uid="another"), "not one of this project's"),
    (lambda d: d.update(editable=True), "editable"),
    (lambda d: d.update(refresh="1m"), "refreshes by itself"),
    (lambda d: _first(d)["targets"][0].update(expr='sum by (user) (rate({cluster=~"$cluster"} [1m]))'), "max_query_s"),
    (lambda d: _first(d)["targets"][0].update(expr='{cluster=~"$cluster"} | code=~`$code`'), "double quotes"),
    (lambda d: _first(d)["targets"][0].update(expr='{cluster=~"$cluster"}'), "no filter on a field"),
    (lambda d: d.update(tags=[]), "not tagged"),
    (lambda d: _first(d).update(id=1), "ids are not unique"),
    (lambda d: _first(d).update(title="Deletions by user"), "titles are not unique"),
    (lambda d: _first(d).update(description="Requests."), "does not say what to do"),
    (lambda d: _first(d).update(description="What was sent again after a crash is counted twice. " * 2), "re-sent"),
    (lambda d: _first(d)["fieldConfig"]["defaults"].update(unit=""), "no unit"),
    (lambda d: _first(d)["fieldConfig"]["defaults"]["thresholds"].update(steps=[{"value": 1}]), "lowest value"),
    (lambda d: _first(d).update(type="graph"), "type graph"),
    (lambda d: _first(d).update(targets=[]), "no query"),
    (lambda d: _first(d)["targets"][0]["datasource"].update(uid="P8E80F9AEF21F6940"), "is not a variable"),
    (_without_cluster, "chosen clusters"),
    (lambda d: _first(d)["targets"][0].update(expr='{cluster=~"$cluster"} | != `x`'), "empty stage"),
    (lambda d: _first(d)["targets"][0].update(expr='{cluster=~"$cluster"} $undefined'), "undefined is used"),
    (lambda d: _first(d)["gridPos"].update(y=0), "lies over"),
    (lambda d: _first(d)["gridPos"].update(x=20), "wider than"),
    (lambda d: d["templating"]["list"].append({"name": "x", "label": "X", "type": "textbox"}), "x is not used"),
    (lambda d: d["templating"]["list"][1].update(includeAll=False), "variable cluster"),
    (lambda d: d["templating"]["list"][1]["datasource"].update(uid="fixed"), "asks a fixed datasource"),
]


@pytest.mark.parametrize(("spoil", "message"), SPOILED, ids=[message for _, message in SPOILED])
def test_the_lint_finds_what_is_wrong(spoil: Callable[[dict[str, Any]], Any], message: str) -> None:
    dashboard = copy.deepcopy(PARSED["kubernetes-audit-who"])
    spoil(dashboard)
    assert any(message in problem for problem in problems(dashboard))
