"""Rules for Loki's ruler: detections on audit events, and on their absence."""

from __future__ import annotations

from dataclasses import replace

from auditlog.detections.logql import silence_query, value_query
from auditlog.detections.model import Detection, Events, Silence
from auditlog.detections.schedule import schedule_of
from auditlog.observe.rules import RuleFile, RuleScope, number, rule_file

_MOST_SERIES = 500
"""Loki's `max_query_series`, unless it is configured otherwise."""


def loki_rules(scope: RuleScope) -> RuleFile:
    """The rules of a stack. Silence is watched node by node, so there is no such rule without nodes."""
    return rule_file(scope, on_metrics=False, expressions=loki_expressions)


def loki_expressions(scope: RuleScope, detection: Detection) -> list[str]:
    """The LogQL of a detection: one expression, or one for each node; none for a detection on metrics.

    One that counts different values has a second, which rings where there are too many to be told apart.
    """
    if isinstance(detection.source, Silence):
        return [silence_query(scope.threshold(detection), node, scope.cluster) for node in scope.nodes]
    if isinstance(detection.source, Events):
        ignored = scope.settings.ignore_users.get(detection.id, ())
        window = schedule_of(detection).window
        query = value_query(detection.source, scope.cluster, ignored, window=window)
        expressions = [f"{query} > {number(scope.threshold(detection))}"]
        if detection.source.distinct:
            # Loki fails where it finds more different values than this, so that many would hide behind more.
            total = value_query(replace(detection.source, distinct=""), scope.cluster, ignored, window=window)
            expressions.append(f"{total} > {_MOST_SERIES}")
        return expressions
    return []
