"""Panels of the kinds that the dashboards use. Each has a title, a description, a unit and its queries.

Loki answers a log query with one field `labels`. It holds labels, structured metadata and what the query parsed. A
table of events spreads this field into columns. An instant metric query returns a table with a column for each label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import common, logs, loki, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    LogsSortOrder,
    SortOrder,
    StackingMode,
    TableCellHeight,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import DataSourceRef, DataTransformerConfig, DynamicConfigValue
from grafana_foundation_sdk.models.loki import LokiQueryDirection, LokiQueryType
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from auditlog.observe.dashboards.addresses import SEARCHED
from auditlog.observe.dashboards.links import CLICKED, cell, data_link, search
from auditlog.observe.dashboards.thresholds import NONE, Levels
from auditlog.observe.dashboards.variables import LOKI, PROMETHEUS

FULL, HALF, THIRD, QUARTER = 24, 12, 8, 6
"""Widths, in columns of Grafana's grid."""

WHO_COLUMNS = {
    "Time": "When",
    "cluster": "Cluster",
    "node": "Node",
    "user": "Who",
    "verb": "Verb",
    "resource": "Resource",
    "subresource": "Subresource",
    "namespace": "Namespace",
    "name": "Name",
    "code": "Code",
    "sourceIP": "From",
    "userAgent": "With",
    "level": "Level",
    "stage": "Stage",
    "auditID": "Audit ID",
}
"""Fields of an event in the order of a table's columns, with the columns' names."""

_NOT_SHOWN = ("job", "service_name", "detected_level")
"""Labels that are the same in every row, or that Loki adds on its own."""

_LINES = 1000
COUNTED_LINES = 5000
"""The most lines that Loki returns for one query by default (`max_entries_limit_per_query`)."""
_VALUE = "Value"
_AUDIT_ID = "auditID"
_WHO_DID_IT = "Who did it"
_EVERYTHING = "Everything this user did"


Target = loki.Dataquery | prometheus.Dataquery
Panel = logs.Panel | stat.Panel | table.Panel | timeseries.Panel


def loki_range(expression: str, legend: str = "") -> loki.Dataquery:
    """A LogQL metric query for each step of a graph."""
    return _loki(expression, LokiQueryType.RANGE).legend_format(legend or "__auto")


def loki_instant(expression: str) -> loki.Dataquery:
    """A LogQL metric query for one moment."""
    return _loki(expression, LokiQueryType.INSTANT)


def loki_lines(expression: str, lines: int = _LINES) -> loki.Dataquery:
    """A LogQL log query, newest lines first."""
    return _loki(expression, LokiQueryType.RANGE).max_lines(lines).direction(LokiQueryDirection.BACKWARD)


def prometheus_range(expression: str, legend: str) -> prometheus.Dataquery:
    """A PromQL query for each step of a graph."""
    return prometheus.Dataquery().datasource(PROMETHEUS).expr(expression).legend_format(legend).range()


def prometheus_instant(expression: str) -> prometheus.Dataquery:
    """A PromQL query for one moment, as a table."""
    return prometheus.Dataquery().datasource(PROMETHEUS).expr(expression).instant().format(PromQueryFormat.TABLE)


def graph(
    title: str,
    description: str,
    unit: str,
    *targets: Target,
    levels: Levels = NONE,
    stacked: bool = True,
    width: int = HALF,
    link: str = "",
) -> timeseries.Panel:
    """Values over time: stacked bars if they add up, lines if they do not.

    The legend is below, because beside the graph it takes up to 60 % of the width, on a phone too.
    It adds up only Loki's counts, whose windows are as long as a step.
    """
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .min(0)
        .span(width)
        .height(8)
        .thresholds(levels.build())
        .draw_style(GraphDrawStyle.BARS if stacked else GraphDrawStyle.LINE)
        .fill_opacity(60 if stacked else 10)
        .line_width(1)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.TABLE)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["sum"] if stacked and unit == "short" and _datasource(targets) is LOKI else ["mean", "max"])
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .targets(_with_ids(targets))
        .datasource(_datasource(targets))
    )
    if link:
        panel.data_links([data_link(_WHO_DID_IT, link)])
    if levels is not NONE:
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    return panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL)) if stacked else panel


def number(
    title: str,
    description: str,
    unit: str,
    target: Target,
    levels: Levels = NONE,
    width: int = QUARTER,
    link: str = "",
) -> stat.Panel:
    """One number. ``link`` leads to what it counts."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .span(width)
        .height(4)
        .thresholds(levels.build())
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .targets(_with_ids([target]))
        .datasource(_datasource([target]))
    )
    return panel.data_links([data_link(_WHO_DID_IT, link)]) if link else panel


def different(title: str, description: str, query: str, field: str) -> stat.Panel:
    """How many different values of a field the newest events have. ``query`` comes from `queries.common.newest`."""
    return (
        number(title, description, "short", loki_lines(query, COUNTED_LINES))
        .with_transformation(_spread_labels())
        .reduce_options(common.ReduceDataOptions().calcs(["distinctCount"]).fields(f"/^{field}$/"))
    )


def counted(
    title: str,
    description: str,
    query: str,
    columns: Mapping[str, str],
    value: str,
    *,
    where: Mapping[str, str] | None = None,
    add: str = "",
    width: int = HALF,
) -> table.Panel:
    """A row for each combination of fields among the newest events, the most frequent first.

    ``query`` comes from `queries.common.newest`, and ``columns`` names its fields. ``value`` is the name of the last
    column: how many requests, or the sum of the field ``add``. A row links to its events; ``where`` narrows that
    further.
    """
    operation, calculation = (add, "sum") if add else (_AUDIT_ID, "distinctCount")
    grouping: dict[str, dict[str, object]] = {field: {"aggregations": [], "operation": "groupby"} for field in columns}
    grouping[operation] = {"aggregations": [calculation], "operation": "aggregate"}
    panel = (
        _table(title, description, width)
        .unit("decbytes" if add == "bytes" else "short")
        .thresholds(NONE.build())
        .targets(_with_ids([loki_lines(query, COUNTED_LINES)]))
        .datasource(LOKI)
        .with_transformation(_spread_labels())
    )
    if add:
        panel.with_transformation(
            DataTransformerConfig(
                id_val="convertFieldType",
                options={"conversions": [{"targetField": add, "destinationType": "number"}], "fields": {}},
            )
        )
    panel.with_transformation(DataTransformerConfig(id_val="groupBy", options={"fields": grouping}))
    panel.with_transformation(_columns({**columns, f"{operation} ({calculation})": value}))
    panel.sort_by([common.TableSortByFieldState().display_name(value).desc(True)])
    return _linked(panel, columns, value, where or {})


def _linked(panel: table.Panel, columns: Mapping[str, str], value: str, where: Mapping[str, str]) -> table.Panel:
    """Links the last column to the events of its row, and the user to everything that the user did."""
    row = {field: cell(shown) for field, shown in columns.items() if field in SEARCHED}
    cluster = f"var-cluster={cell(columns['cluster'])}" if "cluster" in columns else "${cluster:queryparam}"
    panel.override_by_name(value, [_links(_WHO_DID_IT, search({**where, **row}, cluster))])
    if "user" in columns:
        panel.override_by_name(columns["user"], [_links(_EVERYTHING, search({"user": CLICKED}, cluster))])
    return panel


def ranking(
    title: str,
    description: str,
    unit: str,
    target: Target,
    columns: Mapping[str, str],
    value: str,
    *,
    levels: Levels = NONE,
    ascending: bool = False,
    width: int = HALF,
) -> table.Panel:
    """A row for each combination of labels, the largest value first. ``value`` is the name of the last column."""
    panel = (
        _table(title, description, width)
        .unit(unit)
        .thresholds(levels.build())
        .targets(_with_ids([target]))
        .datasource(_datasource([target]))
        .with_transformation(_columns({**columns, f"{_VALUE} #A": value, _VALUE: value}, hidden=["Time"]))
        .sort_by([common.TableSortByFieldState().display_name(value).desc(not ascending)])
    )
    if levels is not NONE:
        panel.override_by_name(value, [DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"})])
    return panel


def event_table(
    title: str,
    description: str,
    query: str,
    *,
    more: Mapping[str, str] | None = None,
    width: int = FULL,
    height: int = 9,
    event: str = "",
) -> table.Panel:
    """A row for each event, newest first, with who, what, when and where, and further columns of the query.

    ``event`` is the link of an audit ID. Default: a search for it.
    """
    columns = {**WHO_COLUMNS, **(more or {})}
    cluster = f"var-cluster={cell(WHO_COLUMNS['cluster'])}"
    name = {"name": CLICKED, "resource": cell(WHO_COLUMNS["resource"]), "namespace": cell(WHO_COLUMNS["namespace"])}
    return (
        _table(title, description, width)
        .height(height)
        .unit("string")
        .thresholds(NONE.build())
        .targets(_with_ids([loki_lines(query)]))
        .datasource(LOKI)
        .with_transformation(_spread_labels())
        .with_transformation(_columns(columns, hidden=_NOT_SHOWN))
        .override_by_name("Audit ID", [_links("Show this event", event or search({_AUDIT_ID: CLICKED}, cluster))])
        .override_by_name("Who", [_links(_EVERYTHING, search({"user": CLICKED}, cluster))])
        .override_by_name("Name", [_links("Everything done to this name", search(name, cluster))])
        .override_by_name("From", [_links("Everything from there", search({"sourceIP": CLICKED}, cluster))])
    )


def event_lines(title: str, description: str, query: str, *, height: int = 10) -> logs.Panel:
    """The events themselves, as indented JSON."""
    return (
        logs.Panel()
        .title(title)
        .description(description)
        .unit("string")
        .span(FULL)
        .height(height)
        .show_time(True)
        .wrap_log_message(True)
        .prettify_log_message(True)
        .enable_log_details(True)
        .sort_order(LogsSortOrder.DESCENDING)
        .targets(_with_ids([loki_lines(query)]))
        .datasource(LOKI)
    )


def _loki(expression: str, kind: LokiQueryType) -> loki.Dataquery:
    return loki.Dataquery().datasource(LOKI).expr(expression).query_type(kind)


def _with_ids(targets: Sequence[Target]) -> list[Builder[Dataquery]]:
    return [target.ref_id(chr(ord("A") + number)) for number, target in enumerate(targets)]


def _datasource(targets: Sequence[Target]) -> DataSourceRef:
    return LOKI if isinstance(targets[0], loki.Dataquery) else PROMETHEUS


def _table(title: str, description: str, width: int) -> table.Panel:
    return (
        table.Panel()
        .title(title)
        .description(description)
        .span(width)
        .height(9)
        .cell_height(TableCellHeight.SM)
        .filterable(True)
    )


def _columns(columns: Mapping[str, str], hidden: Sequence[str] = ()) -> DataTransformerConfig:
    """Orders and names the columns. Columns that are not named follow; hidden ones are left out."""
    return DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": dict.fromkeys(hidden, True),
            "indexByName": {name: index for index, name in enumerate(columns)},
            "renameByName": dict(columns),
        },
    )


def _spread_labels() -> DataTransformerConfig:
    """A column for each label and field of an event."""
    return DataTransformerConfig(
        id_val="extractFields",
        options={"format": "auto", "keepTime": True, "replace": True, "source": "labels"},
    )


def _links(title: str, url: str) -> DynamicConfigValue:
    return DynamicConfigValue(id_val="links", value=[{"title": title, "url": url}])
