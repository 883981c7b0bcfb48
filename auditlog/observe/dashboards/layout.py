"""What makes a dashboard of panels: rows, ids, links to its siblings, and JSON that is the same on every run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, Row
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from auditlog.observe.dashboards.options import TAG
from auditlog.observe.dashboards.panels import Panel
from auditlog.observe.dashboards.rendered import RenderedDashboard

REFRESH = "1m"


@dataclass(frozen=True, slots=True)
class Section:
    """A row with its panels, left to right and top to bottom."""

    title: str
    panels: tuple[Panel, ...]


def render(
    name: str,
    title: str,
    description: str,
    variables: Iterable[Builder[model.VariableModel]],
    sections: Sequence[Section],
    *,
    since: str,
) -> RenderedDashboard:
    """Puts a dashboard together. ``name`` ends its uid, ``since`` is how far back it looks at first (`now-6h`)."""
    uid = f"{TAG}-{name}"
    builder = (
        Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .timezone("utc")
        .time(since, "now")
        .refresh(REFRESH)
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
        builder.with_row(Row(section.title))
        for panel in section.panels:
            builder.with_panel(panel)
    built = builder.build()
    for number, each in enumerate(built.panels or [], start=1):
        each.id_val = number
    text = json.dumps(built, cls=JSONEncoder, sort_keys=True, indent=1) + "\n"
    return RenderedDashboard(uid, title, text)
