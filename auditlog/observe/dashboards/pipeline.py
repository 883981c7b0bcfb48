"""*Pipeline*: does every event get from the API server to Loki, and do all nodes run the same policy?"""

from __future__ import annotations

from auditlog.observe.dashboards import marks, panels, variables
from auditlog.observe.dashboards.layout import Section, render
from auditlog.observe.dashboards.options import DashboardOptions
from auditlog.observe.dashboards.queries import pipeline as queries
from auditlog.observe.dashboards.rendered import RenderedDashboard
from auditlog.observe.dashboards.thresholds import ANY_IS_BAD, BEHIND_SECONDS, SHIPPING_SECONDS, SILENCE_SECONDS

_NODE_COLUMNS = {"cluster": "Cluster", "node": "Node"}


def pipeline_dashboard(options: DashboardOptions) -> RenderedDashboard:
    """Builds the dashboard."""
    return render(
        "pipeline",
        "Kubernetes audit / Pipeline",
        "Freshness per node, lag, losses in the API server, Alloy and Loki, and the policy that each node runs.",
        [variables.loki(), variables.prometheus(), variables.cluster(), variables.node()],
        [_freshness(), _api_server(options), _alloy(), _loki(), _policy(options)],
        since="now-6h",
        annotations=marks.changes(options),
    )


def _freshness() -> Section:
    return Section(
        "Does every node report",
        (
            panels.ranking(
                "Age of the newest event",
                "Per node, of those that wrote in the last minute; who did not is in *Silent nodes* after five. Near a "
                "minute: is its API server up, does its log grow, does Alloy run there? All nodes: Loki.",
                "s",
                panels.loki_instant(queries.FRESHNESS),
                _NODE_COLUMNS,
                "Age",
                levels=SILENCE_SECONDS,
            ),
            panels.ranking(
                "Silent nodes",
                "Nodes that wrote when the range began or in the last half hour, and not in the last five minutes. On "
                "the node: `tail` the log. It grows: Alloy or Loki. It does not: the API server; `pulumi preview` "
                "tells.",
                "short",
                panels.loki_instant(queries.SILENT_NODES),
                _NODE_COLUMNS,
                "Events before",
                levels=ANY_IS_BAD,
            ),
            panels.graph(
                "Events by node",
                "What Alloy hands on per second. A node that stops while others go on is the one to look at; all at "
                "once is Loki or the network.",
                "cps",
                panels.prometheus_range(queries.EVENTS_BY_NODE, "{{cluster}} {{node}}"),
            ),
            panels.graph(
                "Behind the log",
                "How old the events are that Alloy hands on, while some wait. It grows: Alloy lacks CPU or Loki does "
                "not take events. They wait in the node's files until the API server deletes the oldest.",
                "s",
                panels.prometheus_range(queries.BEHIND, "{{cluster}} {{instance}}"),
                levels=BEHIND_SECONDS,
                stacked=False,
            ),
        ),
    )


def _api_server(options: DashboardOptions) -> Section:
    return Section(
        "API server",
        (
            panels.graph(
                "Events recorded",
                "What each API server gives to its audit backends. Zero while it serves requests: it runs without a "
                "policy, or with one that records nothing.",
                "cps",
                panels.prometheus_range(queries.recorded(options), "{{cluster}} {{instance}}"),
            ),
            panels.graph(
                "Audit errors",
                "Events that a backend lost: log (disk full, no right to write), webhook (not reachable), buffered "
                "(too slow), truncate (too large). Any is a hole in the evidence: fix it and note the time.",
                "short",
                panels.prometheus_range(queries.audit_errors(options), "{{instance}} {{plugin}}"),
                levels=ANY_IS_BAD,
            ),
            panels.graph(
                "Requests refused for audit",
                "Only in mode blocking-strict: requests answered with 500 because they could not be recorded. Free "
                "the disk of the log first.",
                "short",
                panels.prometheus_range(queries.rejected(options), "{{cluster}} {{instance}}"),
                levels=ANY_IS_BAD,
                width=panels.FULL,
            ),
        ),
    )


def _alloy() -> Section:
    return Section(
        "Alloy",
        (
            panels.graph(
                "Shipped",
                "Events that Loki took from each Alloy. Zero while the log grows: see *Sent again* and Alloy's own "
                "log.",
                "cps",
                panels.prometheus_range(queries.SHIPPED, "{{instance}}"),
            ),
            panels.graph(
                "Dropped by Alloy",
                "Events given up, by reason: line_too_long (raise Loki's max_line_size or lower the API server's "
                "truncation), rate_limited (raise Loki's ingestion limits), ingester_error. They are still in the "
                "node's files: save those before rotation takes them.",
                "short",
                panels.prometheus_range(queries.DROPPED, "{{instance}} {{reason}}"),
                levels=ANY_IS_BAD,
            ),
            panels.graph(
                "Sent again",
                "Batches that Loki did not take at once. Short bursts are restarts of Loki; without end: wrong "
                "address, credentials or tenant, or Loki is down.",
                "short",
                panels.prometheus_range(queries.RETRIES, "{{instance}}"),
            ),
            panels.graph(
                "Time to deliver, 99th percentile",
                "How long Loki takes to answer a batch. Over a second: Loki is short of CPU or of its store; Alloy "
                "gives a batch ten.",
                "s",
                panels.prometheus_range(queries.SHIPPING_TIME, "{{instance}}"),
                levels=SHIPPING_SECONDS,
                stacked=False,
            ),
            panels.graph(
                "Left out on purpose",
                "Lines that Alloy's own stages drop: what is no audit event in a stream that mixes both. It grows "
                "although the log is a separate file: the stage is wrong, look at the lines.",
                "short",
                panels.prometheus_range(queries.LEFT_OUT, "{{instance}} {{reason}}"),
                width=panels.FULL,
            ),
        ),
    )


def _loki() -> Section:
    return Section(
        "Loki",
        (
            panels.graph(
                "Discarded by Loki",
                "Events that Loki refused, of all its tenants, by reason. Raise the limit behind line_too_long, "
                "rate_limited or greater_than_max_sample_age. The events are gone unless a node still has them.",
                "short",
                panels.prometheus_range(queries.LOKI_DISCARDED, "{{reason}}"),
                levels=ANY_IS_BAD,
                width=panels.FULL,
            ),
        ),
    )


def _policy(options: DashboardOptions) -> Section:
    return Section(
        "Policy",
        (
            panels.ranking(
                "Policy by node",
                "The hash of the policy that each API server was started with; it must be one per cluster, the stack "
                "output `policy.sha256`. Needs kube-state-metrics with --metric-annotations-allowlist="
                "pods=[kubernetes-audit/policy-sha256]. Different or missing: `pulumi preview` says which node is "
                "behind.",
                "short",
                panels.prometheus_instant(queries.POLICY_HASHES),
                {
                    "cluster": "Cluster",
                    "pod": "API server",
                    "annotation_kubernetes_audit_policy_sha256": "Policy SHA-256",
                },
                "Pods",
            ),
            panels.graph(
                "Levels by API server",
                "Nodes with one policy show the same mix, also where no hash is known. One that differs for long runs "
                "another policy or has other clients; None is what the policy drops.",
                "reqps",
                panels.prometheus_range(queries.level_mix(options), "{{instance}} {{level}}"),
            ),
        ),
    )
