"""Links from what a panel shows to the events behind it, in *Who did it*.

A link names every filter of the search. Grafana would keep filters that the link does not name, and the search would
find too little. Values are encoded by name (`percentencode`), because Grafana's own encoding leaves `&`, `+` and `#`
unchanged. A value that was clicked is searched for in full, `^\\Q…\\E$`, because what is typed there is a regular
expression.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from grafana_foundation_sdk.builders.dashboard import DashboardLink

from auditlog.observe.dashboards.addresses import CHOSEN, TAG, TYPED, typed_in_full

_ALL = "%24__all"
_EVENT = "auditID"


def cell(column: str) -> str:
    """The text of a column in the row that was clicked."""
    return f'${{__data.fields["{column}"]:percentencode}}'


CLICKED = "${__value.text:percentencode}"
"""The text of the cell that was clicked."""


def series(label: str) -> str:
    """A label of the series that was clicked."""
    return f"${{__field.labels.{label}:percentencode}}"


def search(
    filters: Mapping[str, str],
    cluster: str = "${cluster:queryparam}",
    patterns: Mapping[str, str] | None = None,
) -> str:
    """The address of a search. ``filters`` has encoded values by field; several of a chosen field have `|` between.

    ``cluster`` is the parameter for the cluster: `var-cluster=…`. ``patterns`` are regular expressions by field.
    """
    typed = {field: typed_in_full(value) for field, value in filters.items()}
    typed |= {field: quote(pattern, safe="") for field, pattern in (patterns or {}).items()}
    parts = ["${__url_time_range}", "${loki:queryparam}", cluster, f"var-node={_ALL}"]
    parts += [f"var-{field}={typed.get(field, '')}" for field in TYPED]
    for field in CHOSEN:
        parts += [f"var-{field}={value}" for value in filters.get(field, _ALL).split("|")]
    parts.append(f"var-{_EVENT}={filters.get(_EVENT, '')}")
    return f"/d/{TAG}-who?{'&'.join(parts)}"


def event_of_search() -> str:
    """The link from a row of *Who did it* to its whole event. It keeps the search."""
    kept = "&".join(f"${{{field}:queryparam}}" for field in ("loki", "cluster", "node", *TYPED, *CHOSEN))
    return f"/d/{TAG}-who?${{__url_time_range}}&{kept}&var-{_EVENT}={CLICKED}"


def data_link(title: str, url: str) -> DashboardLink:
    """A link for the values of a panel."""
    return DashboardLink(title).url(url)
