"""What the queries share: the streams of the chosen clusters and the windows that Grafana fills in."""

from __future__ import annotations

from auditlog.events.logql import pipeline, requests, streams

CLUSTER = 'cluster=~"$cluster"'
STREAMS = streams(CLUSTER)
NODES = streams(CLUSTER, 'node=~"$node"')

RANGE = "$__range"
"""The whole time range of the dashboard, for instant queries."""

STEP = "$__auto"
"""A window as long as a step of the graph."""

TALKERS = 10
"""How many lines a graph of the largest values shows."""

KIND_OF_CALLER = (
    'label_format caller=`{{ if hasPrefix "system:serviceaccount:" .user }}'
    '{{ regexReplaceAll "^system:serviceaccount:([^:]*):.*" .user "system:serviceaccounts:${1}" }}'
    '{{ else if hasPrefix "system:node:" .user }}system:nodes'
    '{{ else if hasPrefix "system:" .user }}{{ .user }}{{ else if .user }}people{{ end }}`'
)
"""Who it was, with few values: ServiceAccounts by namespace, nodes together, people together."""

_TOTAL_BY = "cluster, verb, code"
"""Fields with few values by which requests are counted before they are added up: their stages differ."""


def events(*stages: str, selector: str = STREAMS) -> str:
    """A log query over the chosen clusters."""
    return pipeline(selector, *stages)


def total(*stages: str, selector: str = STREAMS) -> str:
    """How many requests there are in the whole range; 0 if there are none, so that a panel does not look broken."""
    return f"sum({requests(_TOTAL_BY, events(*stages, selector=selector), RANGE)}) or vector(0)"


def over_time(by: str, *stages: str, selector: str = STREAMS) -> str:
    """How many requests there are in each step, by some fields."""
    return requests(by, events(*stages, selector=selector), STEP)


def newest(fields: str, *stages: str, selector: str = STREAMS) -> str:
    """The newest events, each with these fields and its audit ID instead of its JSON.

    Use it for a table that counts. A metric query by user or name fails if there are more of them than Loki's
    `max_query_series` (500 by default). `topk` does not help where Loki divides the query.
    """
    return f"{events(*stages, selector=selector)} | keep {fields}, auditID | line_format `{{{{.auditID}}}}`"
