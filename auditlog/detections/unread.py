"""How many of the API server's events Alloy has not read, in PromQL."""

from __future__ import annotations

WINDOW = "30m"
LEAST = 100
"""Events that must be unread within the window: scrapes of two jobs do not happen at the same moment."""

_COUNTED = "apiserver_audit_event_total{$apiServer}"
_READ = 'otelcol_exporter_loki_entries_processed{$alloy, component_id=~".*[.]audit"}'
_NODE = "cluster, node"
_CLUSTER = "cluster"


def unread_percent() -> str:
    """The share of the events of half an hour that Alloy has not read, in percent.

    Nodes are compared one by one if the series of both jobs have the label ``node``, else all of a cluster together.
    The query returns nothing if a counter began within the half hour, by a restart of the API server or of Alloy.
    Prometheus does not know what was counted around it. What Alloy reads a second time makes it read more, not less.
    """
    both = f"{_increase(_NODE, _COUNTED)} and {_increase(_NODE, _READ)}"
    return f"{_percent(_NODE)} or ({_percent(_CLUSTER)} unless on (cluster) ({both}))"


def _percent(by: str) -> str:
    counted, read = _increase(by, _COUNTED), _increase(by, _READ)
    steady = f"sum by ({by}) (resets({_COUNTED}[{WINDOW}])) + sum by ({by}) (resets({_READ}[{WINDOW}])) == 0"
    return (
        f"(100 * (1 - {read} / {counted}) and {counted} - {read} > {LEAST} and ({steady})"
        f" unless {_began(by, _COUNTED)} unless {_began(by, _READ)})"
    )


def _increase(by: str, series: str) -> str:
    return f"sum by ({by}) (increase({series}[{WINDOW}]))"


def _began(by: str, series: str) -> str:
    """Those with a series that was not there when the window began."""
    return f"count by ({by}) ({series} unless {series} offset {WINDOW})"
