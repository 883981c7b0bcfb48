"""Queries of *Pipeline*: from the API server's audit backend over Alloy to Loki."""

from __future__ import annotations

from auditlog.detections.shipping_delay import EVENTS_METRIC, PREFIX, behind
from auditlog.events.logql import count
from auditlog.observe.dashboards.options import DashboardOptions
from auditlog.observe.dashboards.queries.common import CLUSTER, NODES, RANGE

_AGE = "| label_format age=`{{ sub (now | unixEpoch) (__timestamp__ | unixEpoch) }}` | unwrap age"

FRESHNESS = f"min_over_time({NODES} {_AGE} [1m]) by (cluster, node)"
"""Seconds since each node's newest event, over the last minute alone, because Loki reads every line of the window.

Nodes that are silent for longer are in `SILENT_NODES`.
"""

SILENT_NODES = (
    f"({count('cluster, node', NODES, '5m', offset=RANGE)} or {count('cluster, node', NODES, '30m')})"
    f" unless {count('cluster, node', NODES, '5m')}"
)
"""Nodes that wrote when the range began or in the last half hour, and do not now.

Loki reads little for it, however long the range is.
"""
EVENTS_BY_NODE = f'sum by (cluster, node) (rate({PREFIX}{EVENTS_METRIC}{{{CLUSTER}, node=~"$node"}}[$__rate_interval]))'

_RATE = "$__rate_interval"


def _grown(by: str, metric: str, matchers: str = CLUSTER) -> str:
    """How much a counter grew. One that is new within a day began at its first error: its whole value counts."""
    series = f"{metric}{{{matchers}}}"
    born = f"{series} unless last_over_time({series}[1d] offset {_RATE})"
    return f"sum by ({by}) ({born} or increase({series}[{_RATE}]))"


LOKI_DISCARDED = _grown("reason", "loki_discarded_samples_total")
POLICY_LABEL = "annotation_kubernetes_audit_policy_sha256"
"""kube-state-metrics' label for `auditlog.manifest.desired.POLICY_ANNOTATION`, which every manifest carries."""
POLICY_HASHES = (
    f"count by (cluster, pod, {POLICY_LABEL})"
    f' (kube_pod_annotations{{{CLUSTER}, namespace="kube-system", pod=~"kube-apiserver-.*"}})'
)
ROLLED_OUT = f"kube_replicaset_created{{{CLUSTER}}}"
"""When each ReplicaSet was made: a Deployment has a new one whenever its Pods change, and none when it is scaled."""

SHIPPED = f"sum by (instance) (rate(loki_write_sent_entries_total{{{CLUSTER}}}[{_RATE}]))"
DROPPED = _grown("instance, reason", "loki_write_dropped_entries_total")
RETRIES = f"sum by (instance) (increase(loki_write_batch_retries_total{{{CLUSTER}}}[{_RATE}]))"
LEFT_OUT = f"sum by (instance, reason) (increase(loki_process_dropped_lines_total{{{CLUSTER}}}[{_RATE}]))"
BEHIND = behind("sum by (cluster, instance)", CLUSTER)
SHIPPING_TIME = (
    "histogram_quantile(0.99, sum by (instance, le)"
    f" (rate(loki_write_request_duration_seconds_bucket{{{CLUSTER}}}[{_RATE}])))"
)


def audit_errors(options: DashboardOptions) -> str:
    """Events that a part of the audit backend lost: log, webhook, buffered, truncate."""
    return _grown("cluster, instance, plugin", "apiserver_audit_error_total", _api_server(options))


def rejected(options: DashboardOptions) -> str:
    """Requests refused because they could not be recorded (blocking-strict mode)."""
    return _grown("cluster, instance", "apiserver_audit_requests_rejected_total", _api_server(options))


def recorded(options: DashboardOptions) -> str:
    """Events per second that each API server hands to its audit backends."""
    return f"sum by (cluster, instance) (rate(apiserver_audit_event_total{{{_api_server(options)}}}[{_RATE}]))"


def level_mix(options: DashboardOptions) -> str:
    """Requests per second by the level that the policy gave them. Nodes with the same policy look alike."""
    return f"sum by (instance, level) (rate(apiserver_audit_level_total{{{_api_server(options)}}}[{_RATE}]))"


def _api_server(options: DashboardOptions) -> str:
    return f"{CLUSTER}, {options.api_server}"
