"""Rules for Loki's ruler: detections on audit events, and on their absence."""

from __future__ import annotations

from auditlog.detections.logql import silence_query, value_query
from auditlog.detections.model import Detection, Events, Silence
from auditlog.detections.schedule import schedule_of
from auditlog.observe.rules import RuleFile, RuleScope, number, rule_file


def loki_rules(scope: RuleScope) -> RuleFile:
    """The rules of a stack. Silence is watched node by node, so there is no such rule without nodes."""
    return rule_file(scope, on_metrics=False, expressions=loki_expressions)


def loki_expressions(scope: RuleScope, detection: Detection) -> list[str]:
    """The LogQL of a detection: one expression, or one for each node; none for a detection on metrics."""
    if isinstance(detection.source, Silence):
        return [silence_query(scope.threshold(detection), node, scope.cluster) for node in scope.nodes]
    if isinstance(detection.source, Events):
        ignored = scope.settings.ignore_users.get(detection.id, ())
        window = schedule_of(detection).window
        query = value_query(detection.source, scope.cluster, ignored, window=window)
        return [f"{query} > {number(scope.threshold(detection))}"]
    return []
