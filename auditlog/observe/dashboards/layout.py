"""Makes a dashboard from panels: rows, ids, links to the other dashboards, and JSON that is the same on every run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, Row
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from auditlog.observe.dashboards.addresses import TAG
from auditlog.observe.dashboards.panels import Panel
from auditlog.observe.dashboards.rendered import RenderedDashboard


@dataclass(frozen=True, slots=True)
class Section:
    """A row with its panels, left to right and top to bottom."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False
    """Whether its queries run only when somebody opens it."""


def render(
    name: str,
    title: str,
    description: str,
    variables: Iterable[Builder[model.VariableModel]],
    sections: Sequence[Section],
    *,
    since: str,
    annotations: Sequence[Mapping[str, Any]] = (),
) -> RenderedDashboard:
    """Makes a dashboard. Its uid ends with ``name``. ``since`` is how far back it looks at first (`now-6h`).

    It refreshes only on request. A refresh each minute would read the whole range each minute.
    """
    uid = f"{TAG}-{name}"
    builder = (
        Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .timezone("utc")
        .time(since, "now")
        .refresh("")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .link(
            DashboardLink("Kubernetes audit")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
    )
    for variable in variables:
        builder.with_variable(variable)
    for section in sections:
        row = Row(section.title)
        for panel in section.panels if section.collapsed else ():
            row.with_panel(panel)
        builder.with_row(row)
        for panel in () if section.collapsed else section.panels:
            builder.with_panel(panel)
    document = json.loads(json.dumps(builder.build(), cls=JSONEncoder))
    for number, each in enumerate(_everything(document["panels"]), start=1):
        each["id"] = number
    # The SDK's type of an annotation lacks what Prometheus' has: a title and a text.
    document["annotations"] = {"list": list(annotations)}
    text = json.dumps(document, sort_keys=True, indent=1) + "\n"
    return RenderedDashboard(uid, title, text)


def _everything(panels: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows and panels, also those inside of a collapsed row."""
    for panel in panels:
        yield panel
        yield from panel.get("panels") or ()
