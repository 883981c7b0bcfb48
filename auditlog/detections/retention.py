"""Whether the log is kept for as long as the stack promises."""

from __future__ import annotations

from auditlog.detections.model import Detection, Severity, Volume

DETECTIONS = (
    Detection(
        id="audit-budget-missed",
        title="A node writes more than its log's budget holds",
        severity=Severity.WARNING,
        source=Volume(),
        threshold=1,
        summary="{{ $labels.node }} wrote {{ $value | humanize }} times the bytes of a day in auditLog.budget",
        meaning=(
            "At this rate the API server deletes events before the days of `auditLog.budget` are over. A client is in "
            "a loop, the cluster has grown, or a policy records more than was meant."
        ),
        false_positives="A release or an incident: one day above the budget is made up for by quieter ones.",
    ),
)
