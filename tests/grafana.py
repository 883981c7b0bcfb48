"""What Grafana does with a dashboard before it asks a datasource, as far as this project's dashboards need it.

Panels and variables are found in the dashboard's JSON and nowhere else, so that what is tested is what is shipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

BUILT_IN = frozenset({"__range", "__range_s", "__auto", "__rate_interval", "__url_time_range", "__value", "__all"})
"""Grafana's own variables that may stand in a query or a link."""

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?:[.:][\w.:]+)?\}|(?P<plain>\w+))")


@dataclass(frozen=True)
class Query:
    """One query of a panel or a variable. ``kind`` is `range`, `instant` or `label` (values of a label)."""

    dashboard: str
    owner: str
    datasource: str
    kind: str
    text: str
    is_log_query: bool = False


def panels(dashboard: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every panel that is no row, also those in collapsed rows."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def queries(dashboard: Mapping[str, Any]) -> Iterator[Query]:
    """Every query that the dashboard makes."""
    uid = dashboard["uid"]
    for panel in panels(dashboard):
        for target in panel["targets"]:
            kind = target.get("queryType") or ("instant" if target.get("instant") else "range")
            datasource = target["datasource"]["type"]
            is_log_query = datasource == "loki" and target["expr"].startswith("{")
            yield Query(uid, panel["title"], datasource, kind, target["expr"], is_log_query)
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            query = variable["query"]
            yield Query(uid, f"variable {variable['name']}", variable["datasource"]["type"], "label", query["stream"])


def named_variables(text: str) -> set[str]:
    """The variables that a query or a link names."""
    return {match["braced"] or match["plain"] for match in _VARIABLE.finditer(text)}


def fill(text: str, values: Mapping[str, str]) -> str:
    """Puts values into a query. Raises KeyError for a variable that has none."""
    return _VARIABLE.sub(lambda match: values[match["braced"] or match["plain"]], text)


def initial_values(dashboard: Mapping[str, Any], *, window: int, step: int) -> dict[str, str]:
    """What the variables are when the dashboard is opened, over a range of ``window`` seconds in steps of ``step``."""
    values = {
        "__range": f"{window}s",
        "__range_s": str(window),
        "__auto": f"{step}s",
        "__rate_interval": f"{4 * step}s",
    }
    for variable in dashboard["templating"]["list"]:
        if variable.get("includeAll"):
            values[variable["name"]] = variable["allValue"]
        elif variable["type"] == "textbox":
            values[variable["name"]] = variable.get("query", "")
        elif variable["type"] == "custom":
            values[variable["name"]] = variable["current"]["value"]
    return values
