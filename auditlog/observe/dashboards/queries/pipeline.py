"""Queries of *Pipeline*: from the API server's audit backend over Alloy to Loki."""

from __future__ import annotations

from auditlog.detections.shipping_delay import behind
from auditlog.events.logql import count, streams
from auditlog.observe.dashboards.options import DashboardOptions
from auditlog.observe.dashboards.queries.common import CLUSTER, RANGE, STEP

_NODES = streams(CLUSTER, 'node=~"$node"')
_AGE = "| label_format age=`{{ sub (now | unixEpoch) (__timestamp__ | unixEpoch) }}` | unwrap age"

FRESHNESS = f"min_over_time({_NODES} {_AGE} [5m]) by (cluster, node)"
"""Seconds since each node's newest event. Five minutes back are enough: who is silent longer is in `SILENT_NODES`, and
every line of the window is looked at."""

SILENT_NODES = f"{count('cluster, node', _NODES, RANGE)} unless {count('cluster, node', _NODES, '5m')}"
EVENTS_BY_NODE = count("cluster, node", _NODES, STEP)

_RATE = "$__rate_interval"
LOKI_DISCARDED = f"sum by (reason) (increase(loki_discarded_samples_total{{{CLUSTER}}}[{_RATE}]))"
POLICY_HASHES = (
    "count by (cluster, pod, annotation_kubernetes_audit_policy_sha256)"
    f' (kube_pod_annotations{{{CLUSTER}, namespace="kube-system", pod=~"kube-apiserver-.*"}})'
)
"""kube-state-metrics' copy of `auditlog.manifest.desired.POLICY_ANNOTATION`, which every manifest carries."""

SHIPPED = f"sum by (instance) (rate(loki_write_sent_entries_total{{{CLUSTER}}}[{_RATE}]))"
DROPPED = f"sum by (instance, reason) (increase(loki_write_dropped_entries_total{{{CLUSTER}}}[{_RATE}]))"
RETRIES = f"sum by (instance) (increase(loki_write_batch_retries_total{{{CLUSTER}}}[{_RATE}]))"
LEFT_OUT = f"sum by (instance, reason) (increase(loki_process_dropped_lines_total{{{CLUSTER}}}[{_RATE}]))"
BEHIND = behind("sum by (cluster, instance)", CLUSTER)
SHIPPING_TIME = (
    "histogram_quantile(0.99, sum by (instance, le)"
    f" (rate(loki_write_request_duration_seconds_bucket{{{CLUSTER}}}[{_RATE}])))"
)


def audit_errors(options: DashboardOptions) -> str:
    """Events that a part of the audit backend lost: log, webhook, buffered, truncate."""
    return f"sum by (cluster, instance, plugin) (increase(apiserver_audit_error_total{_api_server(options)}[{_RATE}]))"


def rejected(options: DashboardOptions) -> str:
    """Requests refused because they could not be recorded (blocking-strict mode)."""
    return (
        f"sum by (cluster, instance) (increase(apiserver_audit_requests_rejected_total{_api_server(options)}[{_RATE}]))"
    )


def recorded(options: DashboardOptions) -> str:
    """Events per second that each API server hands to its audit backends."""
    return f"sum by (cluster, instance) (rate(apiserver_audit_event_total{_api_server(options)}[{_RATE}]))"


def level_mix(options: DashboardOptions) -> str:
    """Requests per second by the level that the policy gave them; nodes with one policy look alike."""
    return f"sum by (instance, level) (rate(apiserver_audit_level_total{_api_server(options)}[{_RATE}]))"


def _api_server(options: DashboardOptions) -> str:
    return f"{{{CLUSTER}, {options.api_server}}}"
