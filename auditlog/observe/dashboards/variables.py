"""The dashboards' variables: datasources, cluster and node from Loki's labels, and what a person searches for."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import (
    AdHocVariable,
    CustomVariable,
    DatasourceVariable,
    QueryVariable,
    TextBoxVariable,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from auditlog.events.logql import SELECTOR
from auditlog.observe.dashboards.queries.common import STREAMS

LOKI = DataSourceRef(type_val="loki", uid="${loki}")
PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${prometheus}")

_LABEL_VALUES = 1
"""The kind of query of a variable of the Loki datasource (LokiVariableQueryType in Grafana)."""

_ANYTHING = ".*"
_EVERYTHING = VariableOption(text="All", value="$__all")


def loki() -> DatasourceVariable:
    """Which Loki to ask."""
    return DatasourceVariable("loki").label("Loki").type("loki").description("The Loki that the audit log goes to")


def prometheus() -> DatasourceVariable:
    """Which Prometheus to ask."""
    return (
        DatasourceVariable("prometheus")
        .label("Prometheus")
        .type("prometheus")
        .description("The Prometheus that scrapes kube-apiserver, Alloy and Loki")
    )


def cluster() -> QueryVariable:
    """One cluster, several, or all. With all, it also matches metrics without a cluster label."""
    return _label("cluster", "Cluster", SELECTOR)


def node() -> QueryVariable:
    """Control-plane nodes of the chosen clusters."""
    return _label("node", "Node", STREAMS)


def text(name: str, label: str, description: str, value: str = "") -> TextBoxVariable:
    """A field to type into. Empty matches anything."""
    return TextBoxVariable(name).label(label).description(description).default_value(value)


def choice(name: str, label: str, description: str, values: dict[str, str]) -> CustomVariable:
    """Values to choose several of, or all. Other values may be typed. ``values`` has the queried values by label."""
    return (
        CustomVariable(name)
        .label(label)
        .description(description)
        .values(", ".join(_option(shown, value) for shown, value in values.items()))
        .multi(True)
        .include_all(True)
        .all_value(_ANYTHING)
        .allow_custom_value(True)
        .current(_EVERYTHING)
    )


def further_filters() -> AdHocVariable:
    """Filters on any field. Grafana adds them after a query's last filter on a field, so each query must have one."""
    return AdHocVariable("filters").label("Further filters").datasource(LOKI)


def _option(shown: str, value: str) -> str:
    """One option. Commas divide options, so a comma in it gets a backslash."""
    text = value if shown == value else f"{shown} : {value}"
    return text.replace(",", "\\,")


def one_of(name: str, label: str, description: str, values: list[str]) -> CustomVariable:
    """Exactly one of some values, the first unless another is chosen."""
    return (
        CustomVariable(name)
        .label(label)
        .description(description)
        .values(", ".join(values))
        .current(VariableOption(text=values[0], value=values[0]))
    )


def _label(name: str, label: str, stream: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(label)
        .datasource(LOKI)
        .query({"label": name, "refId": name, "stream": stream, "type": _LABEL_VALUES})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .hide(VariableHide.DONT_HIDE)
        .multi(True)
        .include_all(True)
        .all_value(_ANYTHING)
        .current(_EVERYTHING)
    )
