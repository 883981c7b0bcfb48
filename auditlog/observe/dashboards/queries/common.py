"""What the queries share: the streams of the chosen clusters and the windows that Grafana fills in."""

from __future__ import annotations

from auditlog.events.logql import count, pipeline, streams

CLUSTER = 'cluster=~"$cluster"'
STREAMS = streams(CLUSTER)

RANGE = "$__range"
"""The whole time range of the dashboard, for instant queries."""

STEP = "$__auto"
"""As long as a step of the graph."""

ROWS = 100
"""Rows that a table of counts shows."""

TALKERS = 10
"""Lines that a graph of the largest shows."""


def events(*stages: str) -> str:
    """A log query over the chosen clusters."""
    return pipeline(STREAMS, *stages)


def total(*stages: str) -> str:
    """How many events there are in the whole range; 0 if there are none, so that a panel does not look broken."""
    return f"{count('', events(*stages), RANGE)} or vector(0)"


def over_time(by: str, *stages: str) -> str:
    """How many events there are in each step, by some fields."""
    return count(by, events(*stages), STEP)


def ranking(by: str, *stages: str) -> str:
    """The most frequent combinations of fields in the whole range."""
    return f"topk({ROWS}, {count(by, events(*stages), RANGE)})"
