"""Queries of *Volume and cost*."""

from __future__ import annotations

from pathlib import PurePosixPath

from auditlog.events import logql
from auditlog.events.logql import FINAL_STAGE, count, rate, size, size_rate
from auditlog.observe.dashboards.options import DashboardOptions
from auditlog.observe.dashboards.queries.common import (
    CLUSTER,
    RANGE,
    STEP,
    STREAMS,
    TALKERS,
    events,
    over_time,
    ranking,
)

_A_DAY = "/ $__range_s * 86400"
_MEBIBYTE = 1024**2
_MONTH = 30

EVENTS_PER_SECOND = rate("", STREAMS, RANGE)
BYTES_PER_DAY = f"{size('', STREAMS, RANGE)} {_A_DAY}"
BYTES_PER_EVENT = f"{size('', STREAMS, RANGE)} / {count('', STREAMS, RANGE)}"
COST_PER_MONTH = f"{size('', STREAMS, RANGE)} {_A_DAY} * {_MONTH} / 1024 / 1024 / 1024 * $price"

BY_LEVEL = rate("level", STREAMS, STEP)
BYTES_BY_LEVEL = size_rate("level", STREAMS, STEP)
BY_CODE = over_time("code", FINAL_STAGE)
BY_VERB = rate("verb", STREAMS, STEP)


def largest(field: str) -> str:
    """The values of a field with the most bytes per second."""
    return f"topk({TALKERS}, {size_rate(field, STREAMS, STEP)})"


TOP_TALKERS = f"topk(50, {size('cluster, user, userAgent, verb, resource', STREAMS, RANGE)})"
BYTES_PER_DAY_BY_CLUSTER = f"{size('cluster, node', STREAMS, RANGE)} {_A_DAY}"
DAYS_OF_LOG = f"($budget * {_MEBIBYTE}) / ({size('cluster, node', STREAMS, RANGE)} {_A_DAY})"

DEPRECATED = ranking(
    "cluster, removedIn, resource, version, verb, user, userAgent", logql.HAS_DEPRECATION, logql.WITH_DEPRECATION
)
SLOW = events(logql.HAS_SLOW_LATENCY, logql.WITH_LATENCY)


def days_of_disk(options: DashboardOptions) -> str:
    """Days until the file system that holds the log is full, if it goes on to shrink as in the last six hours.

    Which of a node's file systems that is, its metrics do not say: all that hold the log's folder are shown.
    """
    available = f"node_filesystem_avail_bytes{{{_file_systems(options)}}}"
    return f"{available} / clamp_min(-deriv({available}[6h]), 1) / 86400"


def disk_used(options: DashboardOptions) -> str:
    """Used part of the file systems that hold the log's folder."""
    matchers = _file_systems(options)
    return f"1 - node_filesystem_avail_bytes{{{matchers}}} / node_filesystem_size_bytes{{{matchers}}}"


def kept_share(options: DashboardOptions) -> str:
    """Share of the requests that the policy records at all, from the API servers' own metric."""
    matchers = f"{CLUSTER}, {options.api_server}"
    recorded = _level_rate(f'{matchers}, level!="None"')
    return f"{recorded} / {_level_rate(matchers)}"


def _level_rate(matchers: str) -> str:
    return f"sum by (cluster) (rate(apiserver_audit_level_total{{{matchers}}}[$__rate_interval]))"


def _file_systems(options: DashboardOptions) -> str:
    folders = "|".join(str(folder) for folder in PurePosixPath(options.log_path).parents)
    return f'{CLUSTER}, mountpoint=~"{folders}"'
