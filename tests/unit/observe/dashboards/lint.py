"""What every dashboard of this project keeps, as a function from its JSON to what is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lab import prose
from tests.grafana import BUILT_IN, named_variables, panels, queries

PANEL_TYPES = {"logs", "stat", "table", "timeseries"}
WIDTH = 24
CLUSTER = 'cluster=~"$cluster"'
_MANY_VALUES = r"by \([^)]*\b(user|name|userAgent|sourceIP|auditID|groups)\b"


def problems(dashboard: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with a dashboard, one sentence each."""
    return [*_dashboard(dashboard), *_panels(dashboard), *_places(dashboard), *_variables(dashboard)]


def _dashboard(dashboard: Mapping[str, Any]) -> Iterator[str]:
    uid = dashboard.get("uid", "")
    if not uid.startswith("kubernetes-audit-") or len(uid) > 40:
        yield f"uid {uid!r} is not one of this project's, of at most 40 characters"
    if not dashboard.get("description"):
        yield "no description"
    if "kubernetes-audit" not in dashboard.get("tags", []):
        yield "not tagged: its siblings cannot link to it"
    if dashboard.get("editable") is not False:
        yield "editable, although the next sync would undo what is edited"
    if dashboard.get("schemaVersion", 0) < 39:
        yield "an old schema"
    if dashboard.get("refresh"):
        yield "refreshes by itself: it would read the whole range each time"
    ids = [panel["id"] for panel in _all_panels(dashboard["panels"])]
    if len(set(ids)) != len(ids) or None in ids:
        yield "panel ids are not unique"
    titles = [panel["title"] for panel in panels(dashboard)]
    if len(set(titles)) != len(titles):
        yield "panel titles are not unique"


def _all_panels(found: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows too, and what is in them."""
    for panel in found:
        yield panel
        yield from panel.get("panels") or ()


def _panels(dashboard: Mapping[str, Any]) -> Iterator[str]:
    for panel in panels(dashboard):
        title = panel.get("title") or f"panel {panel['id']}"
        if panel["type"] not in PANEL_TYPES:
            yield f"{title}: type {panel['type']}"
        if len(panel.get("description", "")) < 60:
            yield f"{title}: the description does not say what to do"
        for problem in prose.problems(title, panel.get("description", "")):
            yield f"{title}: {problem.message}"
        defaults = panel.get("fieldConfig", {}).get("defaults", {})
        if not defaults.get("unit"):
            yield f"{title}: no unit"
        if panel["type"] != "logs":
            yield from (f"{title}: {problem}" for problem in _thresholds(defaults.get("thresholds", {}).get("steps")))
        if not panel.get("targets"):
            yield f"{title}: no query"
        for target in panel.get("targets", []):
            yield from (f"{title}: {problem}" for problem in _target(panel, target))


def _thresholds(steps: list[dict[str, Any]] | None) -> Iterator[str]:
    if not steps or steps[0].get("value") is not None:
        yield "thresholds do not begin at the lowest value"
        return
    values = [step["value"] for step in steps[1:]]
    if values != sorted(set(values)):
        yield "thresholds do not rise"


def _target(panel: Mapping[str, Any], target: Mapping[str, Any]) -> Iterator[str]:
    datasource = target.get("datasource", {})
    if datasource != {"type": datasource.get("type"), "uid": f"${{{datasource.get('type')}}}"}:
        yield f"the datasource {datasource} is not a variable"
    if datasource != panel.get("datasource"):
        yield "panel and query have different datasources"
    if CLUSTER not in target["expr"] or target["expr"].count("{job=") > target["expr"].count(CLUSTER):
        yield "a query that does not ask for the chosen clusters"
    if re.search(r"\| +[|!]", target["expr"]):
        yield "a query with an empty stage"
    if not target.get("refId"):
        yield "a query without refId"
    wrong = "$__rate_interval" if datasource.get("type") == "loki" else "$__auto"
    if wrong in target["expr"]:
        yield f"{wrong} is not for this datasource"
    if target.get("queryType") == "instant" and "$__auto" in target["expr"]:
        yield "an instant query has no steps"
    if datasource.get("type") == "loki" and re.search(_MANY_VALUES, target["expr"]):
        yield "a count by a field of which there may be more values than Loki's max_query_series"
    if re.search(r"=~`[^`]*\$(?:\{\w+\}|\w)", target["expr"]):
        yield "Grafana escapes a variable without a format for double quotes, and these are none"


def _places(dashboard: Mapping[str, Any]) -> Iterator[str]:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        if place["x"] + place["w"] > WIDTH:
            yield f"{panel['title']}: wider than the dashboard"
        for cell in (
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ):
            if cell in taken:
                yield f"{panel['title']}: lies over {taken[cell]}"
                break
            taken[cell] = panel["title"]


def _variables(dashboard: Mapping[str, Any]) -> Iterator[str]:
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    used = named_variables(" ".join(query.text for query in queries(dashboard)))
    used |= {variable["name"] for variable in dashboard["templating"]["list"] if variable["type"] == "adhoc"}
    marks = json.dumps(dashboard.get("annotations", {}))
    used |= named_variables(marks) & variables.keys()
    used |= {name for panel in panels(dashboard) for name in named_variables(json.dumps(panel["datasource"]))}
    for name in sorted(used - variables.keys() - BUILT_IN):
        yield f"variable {name} is used and not defined"
    for name in sorted(variables.keys() - used):
        yield f"variable {name} is not used"
    for name, variable in variables.items():
        if variable["type"] == "datasource" and variable["query"] != name:
            yield f"variable {name}: a datasource variable is named after the kind of datasource"
        if variable["type"] == "query" and variable["datasource"]["uid"] != "${loki}":
            yield f"variable {name}: asks a fixed datasource"
        if variable["type"] == "adhoc":
            yield from (f"variable {name}: {problem}" for problem in _without_filter(dashboard))
        if not variable.get("label"):
            yield f"variable {name}: no label"
    cluster = variables.get("cluster", {})
    if not (cluster.get("includeAll") and cluster.get("multi") and cluster.get("allValue") == ".*"):
        yield "variable cluster: not one, several, or all clusters"


def _without_filter(dashboard: Mapping[str, Any]) -> Iterator[str]:
    """Grafana adds ad-hoc filters behind a query's filters on fields, and into the selector where there is none."""
    for query in queries(dashboard):
        if query.datasource == "loki" and query.kind != "label" and not re.search(r"\| \w+ ?(=|!)", query.text):
            yield f"{query.owner} has no filter on a field"
