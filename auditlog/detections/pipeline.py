"""Whether the audit log itself can be relied on: from the API server over its disk and Alloy to Loki."""

from __future__ import annotations

from auditlog.detections.growth import growth
from auditlog.detections.model import Detection, Metrics, Severity, Silence
from auditlog.detections.shipping_delay import NEWEST_METRIC, PREFIX, behind
from auditlog.detections.unread import unread_percent
from auditlog.units import DAY

_API_SERVER = "the API server"
_NODE_EXPORTER = "node_exporter on the control-plane nodes"
_ALLOY = "Alloy"
_LOKI = "Loki"
_BY_INSTANCE = "sum by (cluster, instance)"

_USED = (
    "100 * (1 - max by (cluster, instance, mountpoint) (node_filesystem_avail_bytes{$nodeExporter, $logFolders})"
    " / max by (cluster, instance, mountpoint) (node_filesystem_size_bytes{$nodeExporter, $logFolders}))"
)


_BY_NODE = "count by (cluster, node)"
_NEWEST = f"{PREFIX}{NEWEST_METRIC}{{$alloy}}"
_LAST_EVALUATION = "loki_prometheus_rule_group_last_evaluation_timestamp_seconds{$loki, $ruleGroups}"
_GROUP_INTERVAL = "loki_prometheus_rule_group_interval_seconds{$loki, $ruleGroups}"
_BY_GROUP = "max by (rule_group)"
_NOT_EVALUATED = " or ".join(
    (
        f"absent({_LAST_EVALUATION}) and on () (count(up{{$loki}}) > 0)",
        f"(time() - {_BY_GROUP} ({_LAST_EVALUATION} > 0) > 3 * {_BY_GROUP} ({_GROUP_INTERVAL}))",
        growth("loki_prometheus_rule_group_iterations_missed_total", "$loki", "rule_group", "$ruleGroups"),
    )
)
"""None of the groups is there, one is late by three intervals, or iterations were left out. A group that has just been
loaded was last evaluated at a time before 1970."""

DETECTIONS = (
    Detection(
        id="no-events-from-node",
        title="A control-plane node sends no audit events",
        severity=Severity.CRITICAL,
        source=Silence(),
        threshold=60,
        hold=60,
        summary="no audit event of {{ $labels.node }} has arrived for a minute",
        meaning="The API server is down or does not write, Alloy does not read or cannot send, or Loki does not take.",
        false_positives=(
            "A planned restart that takes longer than two minutes; a quiet cluster whose policy drops the API server's "
            "own lease, its heartbeat."
        ),
    ),
    Detection(
        id="audit-off-on-node",
        title="An API server answers requests without auditing them",
        severity=Severity.CRITICAL,
        source=Metrics(
            f"{_BY_INSTANCE} (increase(apiserver_request_total{{$apiServer}}[5m])) unless on (cluster, instance)"
            f" ({_BY_INSTANCE} (increase(apiserver_audit_level_total{{$apiServer}}[5m])) > 0)",
            _API_SERVER,
        ),
        hold=300,
        summary="{{ $labels.instance }} answers requests, but asks no audit policy about them",
        meaning=(
            "With a policy every request counts as one level, also where that is None. An API server without the count "
            "runs without its audit flags, most often after an upgrade or a repair by hand."
        ),
        false_positives="The selector also finds an aggregated API server or another component with these metrics.",
    ),
    Detection(
        id="audit-events-lost",
        title="The API server could not write audit events",
        severity=Severity.CRITICAL,
        source=Metrics(
            growth("apiserver_audit_error_total", "$apiServer", "instance, plugin", 'plugin!="webhook"'), _API_SERVER
        ),
        summary="{{ $labels.instance }} failed to write {{ $value | humanize }} audit events ({{ $labels.plugin }})",
        meaning=(
            "log: the file could not be written; buffered: the buffer was full; truncate: an event was too large even "
            "without its bodies. The events are gone but for the API server's own log."
        ),
        false_positives="None: what is lost is lost.",
    ),
    Detection(
        id="webhook-delivery-failures",
        title="The audit webhook does not take the API server's events",
        severity=Severity.CRITICAL,
        source=Metrics(
            growth("apiserver_audit_error_total", "$apiServer", "instance", 'plugin="webhook"'), _API_SERVER
        ),
        summary="{{ $labels.instance }} could not deliver {{ $value | humanize }} audit events to the webhook",
        meaning="The receiver is away, refuses or is too slow. The log file, if there is one, still has the events.",
        false_positives="A restart of the receiver that takes longer than the API server retries.",
    ),
    Detection(
        id="audit-requests-rejected",
        title="Requests are refused because they cannot be audited",
        severity=Severity.CRITICAL,
        source=Metrics(
            growth("apiserver_audit_requests_rejected_total", "$apiServer", "instance"),
            _API_SERVER,
        ),
        summary="{{ $labels.instance }} refused {{ $value | humanize }} requests that it could not audit",
        meaning="In blocking-strict mode the cluster stands still as long as the log cannot be written.",
        false_positives="None: somebody was turned away.",
    ),
    Detection(
        id="audit-disk-usage",
        title="The disk of the audit log is nearly full",
        severity=Severity.CRITICAL,
        source=Metrics(_USED, _NODE_EXPORTER),
        threshold=80,
        hold=300,
        summary="{{ $labels.mountpoint }} of {{ $labels.instance }} is {{ $value | humanize }} % full",
        meaning="A full disk ends audit logging; where it is etcd's disk as well, it ends the cluster.",
        false_positives="Every file system above the log's folder counts, also one that does not hold the log.",
    ),
    Detection(
        id="audit-disk-forecast",
        title="The disk of the audit log will be full within a day",
        severity=Severity.WARNING,
        source=Metrics(
            f"predict_linear(node_filesystem_avail_bytes{{$nodeExporter, $logFolders}}[6h], {DAY})"
            f" and on (instance, mountpoint) {_USED} > 60",
            _NODE_EXPORTER,
            comparison="<",
        ),
        hold=1800,
        summary="{{ $labels.mountpoint }} of {{ $labels.instance }} will be full within a day",
        meaning="At the rate of the last six hours the space ends before the rotation limits do.",
        false_positives="A large file that was just copied; images that were pulled for a roll-out.",
    ),
    Detection(
        id="audit-volume-surge",
        title="Far more audit events than a day ago",
        severity=Severity.WARNING,
        source=Metrics(
            "sum by (cluster) (rate(apiserver_audit_event_total{$apiServer}[15m]))"
            " / sum by (cluster) (rate(apiserver_audit_event_total{$apiServer}[15m] offset 1d))"
            " and sum by (cluster) (rate(apiserver_audit_event_total{$apiServer}[15m])) > 1",
            _API_SERVER,
        ),
        threshold=5,
        hold=900,
        summary="{{ $value | humanize }} times the audit events of the same time yesterday",
        meaning="A client is in a loop, a policy records more than was meant, or somebody floods the log to hide.",
        false_positives="A roll-out or a load test at a time that was quiet yesterday.",
    ),
    Detection(
        id="shipper-down",
        title="Alloy does not run on a control-plane node",
        severity=Severity.CRITICAL,
        source=Metrics(
            "count by (cluster, instance) (up{$alloy} == 0) or absent(up{$alloy})"
            f" or ({_BY_NODE} (last_over_time({_NEWEST}[1h])) unless {_BY_NODE} ({_NEWEST}))",
            _ALLOY,
        ),
        hold=300,
        summary="Alloy {{ $labels.instance }}{{ $labels.node }} is not there to read the audit log",
        meaning="Events wait in the node's log files. What the API server deletes before Alloy is back is lost to"
        " Loki. A pod that is gone rings for an hour by its node.",
        false_positives="A node that is being replaced.",
    ),
    Detection(
        id="shipper-dropped-lines",
        title="Alloy gave up on audit lines",
        severity=Severity.CRITICAL,
        source=Metrics(growth("loki_write_dropped_entries_total", "$alloy", "instance, reason"), _ALLOY),
        summary="Alloy {{ $labels.instance }} dropped {{ $value | humanize }} lines: {{ $labels.reason }}",
        meaning="Loki refused them (too long, too old, over a limit) or was away for longer than Alloy tries.",
        false_positives="Other logs that the same Alloy ships.",
    ),
    Detection(
        id="audit-events-unread",
        title="Alloy reads fewer audit events than the API server counts",
        severity=Severity.CRITICAL,
        source=Metrics(unread_percent(), f"{_API_SERVER} and {_ALLOY}"),
        threshold=5,
        hold=900,
        summary="Alloy has not read {{ $value | humanize }} % of the events of half an hour"
        "{{ with $labels.node }} on {{ . }}{{ end }}",
        meaning=(
            "The API server writes where Alloy does not look, such as to a file that was deleted while open. Or "
            "files are deleted before they are read. The alert is silent for half an hour after a restart of the "
            "API server or of Alloy, and below 100 events. The command auditlog ledger finds single ones."
        ),
        false_positives="An Alloy that is catching up; shipper-behind says so.",
    ),
    Detection(
        id="shipper-behind",
        title="Alloy falls behind the audit log",
        severity=Severity.WARNING,
        source=Metrics(behind(_BY_INSTANCE, "$alloy"), _ALLOY),
        threshold=300,
        hold=300,
        summary="Alloy {{ $labels.instance }} is {{ $value | humanizeDuration }} behind the audit log",
        meaning="Events wait in the node's log files. Loki loses them only if the API server deletes an unread file: "
        "auditLog.maxSize times auditLog.maxBackup, or auditLog.maxAge. Detections do not see an event that is "
        "more than a minute late: run them again over the time of the delay.",
        false_positives="The first minutes after Alloy was put on a node with a long log.",
    ),
    Detection(
        id="loki-refused-lines",
        title="Loki refuses lines",
        severity=Severity.WARNING,
        source=Metrics(growth("loki_discarded_samples_total", "$loki", "tenant, reason", "$tenant"), _LOKI),
        summary="Loki refused {{ $value | humanize }} lines of tenant {{ $labels.tenant }}: {{ $labels.reason }}",
        meaning="line_too_long: an event exceeds max_line_size; rate_limited: Alloy tries again until it gives up.",
        false_positives="Other senders of the same tenant.",
    ),
    Detection(
        id="rule-evaluation-failures",
        title="Loki cannot evaluate detections",
        severity=Severity.WARNING,
        source=Metrics(
            growth("loki_prometheus_rule_evaluation_failures_total", "$loki", "rule_group", "$ruleGroups"),
            _LOKI,
        ),
        hold=600,
        summary="{{ $value | humanize }} evaluations of {{ $labels.rule_group }} failed",
        meaning="A rule whose query fails is a detection that is off. What it missed has to be looked for.",
        false_positives="A restart of Loki.",
    ),
    Detection(
        id="rules-not-evaluated",
        title="Loki does not evaluate the detections",
        severity=Severity.CRITICAL,
        source=Metrics(_NOT_EVALUATED, _LOKI),
        hold=900,
        summary="rules of Loki{{ with $labels.rule_group }}, {{ . }},{{ end }} are not evaluated",
        meaning=(
            "Loki's ruler has none of this cluster's rule groups, evaluates one too late, or left evaluations out. "
            "Meanwhile no detection on events rings."
        ),
        false_positives="The first minutes after the rules were deployed.",
    ),
    Detection(
        id="api-server-metrics-missing",
        title="Prometheus has no metrics of the API server",
        severity=Severity.WARNING,
        source=Metrics("absent(process_start_time_seconds{$apiServer})", _API_SERVER),
        hold=900,
        summary="no series of an API server of this cluster is in Prometheus",
        meaning=(
            "Nothing is scraped, the job has an unusual name, or the series have another label cluster than the "
            "stack. Detections on lost events and on an API server without audit logging cannot ring."
        ),
        false_positives="None: a detection without data is off.",
    ),
)
