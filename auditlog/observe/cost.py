"""What rules and dashboards cost: how much of the log Loki reads for them.

A query reads every byte of its streams in its window, whatever it filters: Loki has no index of lines or fields. So the
cost depends on the window and on how often the query runs. A test compares this with what Loki reports to have read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.model import Events, Silence, Unannotated, Volume
from auditlog.detections.schedule import schedule_of
from auditlog.observe.dashboards.rendered import RenderedDashboard
from auditlog.units import DAY, seconds_of

_WINDOW = re.compile(r"\[([^\]]+)\]")
_WHOLE_RANGE = ("$__range", "$__auto")
_NEVER_WITHOUT_ID = "job!=`${auditID:raw}"
"""How the query for one event begins. It reads nothing until an event is chosen."""


@dataclass(frozen=True, slots=True)
class RuleCost:
    """How many times a rule reads the whole log, and how many seconds lie between two evaluations."""

    detection: str
    severity: str
    interval: int
    readings: float


@dataclass(frozen=True, slots=True)
class PanelCost:
    """How many days of the log a panel reads each time it is shown, over the range that its dashboard opens with.

    ``is_closed``: it reads only once somebody opens its row. ``is_most``: it reads at most this much. A list of lines
    ends with its limit, and reads less if matches are many.
    """

    dashboard: str
    panel: str
    days: float
    is_closed: bool
    is_most: bool


def rule_costs() -> tuple[RuleCost, ...]:
    """Every detection that Loki evaluates, the most expensive first."""
    found = []
    for each in DETECTIONS:
        schedule = schedule_of(each)
        if isinstance(each.source, Events):
            expressions = 2 if each.source.distinct else 1
            found.append(RuleCost(each.id, each.severity.value, schedule.interval, expressions * schedule.readings))
        elif isinstance(each.source, Volume | Unannotated):
            found.append(RuleCost(each.id, each.severity.value, schedule.interval, schedule.readings))
        elif isinstance(each.source, Silence):
            # A rule for each node, which reads that node's part of the log.
            found.append(RuleCost(each.id, each.severity.value, 60, each.threshold / 60))
    return tuple(sorted(found, key=lambda cost: (-cost.readings, cost.detection)))


def panel_costs(dashboards: Iterable[RenderedDashboard]) -> tuple[PanelCost, ...]:
    """Every panel that queries Loki, dashboard by dashboard, the most expensive first."""
    found = []
    for dashboard in dashboards:
        document = json.loads(dashboard.json)
        span = seconds_of(document["time"]["from"].removeprefix("now-"))
        values = {
            each["name"]: each["current"]["value"] for each in document["templating"]["list"] if "current" in each
        }
        for panel, is_closed in _panels(document):
            queries = [target["expr"] for target in panel["targets"] if target["datasource"]["type"] == "loki"]
            if queries:
                days = sum(seconds_read(query, span, values) for query in queries) / DAY
                is_most = any(query.startswith("{") for query in queries)
                found.append(PanelCost(dashboard.uid, panel["title"], days, is_closed, is_most))
    return tuple(sorted(found, key=lambda cost: (cost.dashboard, cost.is_closed, -cost.days, cost.panel)))


def _panels(document: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], bool]]:
    for panel in document["panels"]:
        if panel["type"] == "row":
            yield from ((each, True) for each in panel["panels"])
        else:
            yield panel, False


def seconds_read(query: str, span: float, values: Mapping[str, Any]) -> float:
    """How many seconds of the log a panel's query reads over a range of ``span`` seconds. A log query may read less.

    ``values`` has the values of the dashboard's variables. One of them may be a window.
    """
    if query.startswith("{"):
        return 0 if _NEVER_WITHOUT_ID in query else span
    return sum(
        span if window in _WHOLE_RANGE else seconds_of(str(values.get(window.removeprefix("$"), window)))
        for window in _WINDOW.findall(_without_texts(query))
    )


def _without_texts(query: str) -> str:
    """The query without its strings, because brackets in these belong to regular expressions."""
    return re.sub(r'`[^`]*`|"(?:[^"\\]|\\.)*"', "", query)
