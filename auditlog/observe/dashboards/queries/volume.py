"""Queries of *Volume and cost*."""

from __future__ import annotations

from pathlib import PurePosixPath

from auditlog.detections.shipping_delay import BYTES_METRIC, EVENTS_METRIC, PREFIX
from auditlog.events import logql
from auditlog.events.logql import size_rate
from auditlog.observe.dashboards.options import DashboardOptions
from auditlog.observe.dashboards.queries.common import (
    CLUSTER,
    KIND_OF_CALLER,
    STEP,
    TALKERS,
    events,
    newest,
    over_time,
)
from auditlog.units import DAY

_MEBIBYTE = 1024**2
_MONTH = 30
_RATE = "$__rate_interval"


def _shipped(metric: str, window: str, by: str = "") -> str:
    """What Alloy ships per second, from its own counters, so that Loki need not read lines to count them."""
    rate = f"rate({PREFIX}{metric}{{{CLUSTER}}}[{window}])"
    return f"sum by ({by}) ({rate})" if by else f"sum({rate})"


EVENTS_PER_SECOND = _shipped(EVENTS_METRIC, "$__range")
BYTES_PER_DAY = f"{_shipped(BYTES_METRIC, '$__range')} * {DAY}"
BYTES_PER_EVENT = f"{_shipped(BYTES_METRIC, '$__range')} / {_shipped(EVENTS_METRIC, '$__range')}"
COST_PER_MONTH = f"{BYTES_PER_DAY} * {_MONTH} / 1024 / 1024 / 1024 * $price"

BY_LEVEL = _shipped(EVENTS_METRIC, _RATE, "level")
BYTES_BY_LEVEL = _shipped(BYTES_METRIC, _RATE, "level")
BY_VERB = _shipped(EVENTS_METRIC, _RATE, "verb")
BYTES_PER_DAY_BY_NODE = f"{_shipped(BYTES_METRIC, '$__range', 'cluster, node')} * {DAY}"
DAYS_OF_LOG = f"($budget * {_MEBIBYTE}) / ({BYTES_PER_DAY_BY_NODE})"

BY_CODE = over_time("code")


def largest(field: str, *stages: str) -> str:
    """The values of a field with the most bytes per second. The field must have few values."""
    return f"topk({TALKERS}, {size_rate(field, events(*stages), STEP)})"


LARGEST_CALLERS = largest("caller", KIND_OF_CALLER)
LARGEST_NAMESPACES = largest("namespace")
LARGEST_RESOURCES = largest("resource")
_WITH_SIZE = "label_format bytes=`{{ __line__ | len }}`"
LARGEST_AGENTS = newest("cluster, userAgent, bytes", _WITH_SIZE)
TOP_TALKERS = newest("cluster, user, userAgent, verb, resource, bytes", _WITH_SIZE)

DEPRECATED = newest(
    "cluster, removedIn, resource, version, verb, user, userAgent", logql.HAS_DEPRECATION, logql.WITH_DEPRECATION
)
SLOW = events(logql.HAS_SLOW_LATENCY, logql.WITH_LATENCY)


def days_of_disk(options: DashboardOptions) -> str:
    """Days until the log's file system is full, if its free space shrinks as in the last six hours.

    A node's metrics do not show which file system that is. So all that may hold the log's folder are shown.
    """
    available = f"node_filesystem_avail_bytes{{{_file_systems(options)}}}"
    return _on_control_plane(options, f"{available} / clamp_min(-deriv({available}[6h]), 1) / {DAY}")


def disk_used(options: DashboardOptions) -> str:
    """The used share of the file systems that may hold the log's folder."""
    matchers = _file_systems(options)
    used = f"1 - node_filesystem_avail_bytes{{{matchers}}} / node_filesystem_size_bytes{{{matchers}}}"
    return _on_control_plane(options, used)


def kept_share(options: DashboardOptions) -> str:
    """The share of requests that the policy records, from the API servers' own metric."""
    matchers = f"{CLUSTER}, {options.api_server}"
    recorded = _level_rate(f'{matchers}, level!="None"')
    return f"{recorded} / {_level_rate(matchers)}"


def _level_rate(matchers: str) -> str:
    return f"sum by (cluster) (rate(apiserver_audit_level_total{{{matchers}}}[$__rate_interval]))"


def _file_systems(options: DashboardOptions) -> str:
    folders = "|".join(str(folder) for folder in PurePosixPath(options.log_path).parents)
    return f'{CLUSTER}, mountpoint=~"{folders}"'


def _on_control_plane(options: DashboardOptions, values: str) -> str:
    """The series by instance whose host also runs an API server: workers have disks, but no audit log.

    If the two jobs name hosts differently, no host matches. Then all hosts of the cluster are shown.
    """
    start = f"process_start_time_seconds{{{CLUSTER}, {options.api_server}}}"
    theirs = f"({_with_host(values)} and on (cluster, host) {_with_host(start)})"
    return f"{theirs} or ({_with_host(values)} unless on (cluster) {theirs})"


def _with_host(series: str) -> str:
    return f'label_replace({series}, "host", "$1", "instance", "(.*?)(:[0-9]+)?")'
