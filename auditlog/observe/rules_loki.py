"""Rules for Loki's ruler: detections on audit events, on their absence, and on their volume."""

from __future__ import annotations

from dataclasses import replace

from auditlog.detections.annotated import forms, written_keys
from auditlog.detections.logql import silence_query, value_query, volume_query
from auditlog.detections.model import Detection, Events, Silence, Unannotated, Volume
from auditlog.detections.schedule import schedule_of
from auditlog.detections.unannotated import unannotated_query
from auditlog.observe.rules import RuleFile, RuleScope, number, rule_file
from auditlog.units import DAY

_MOST_SERIES = 500
"""Loki's `max_query_series`, unless it is configured otherwise."""


def loki_rules(scope: RuleScope) -> RuleFile:
    """The rules of a stack. Silence is watched node by node, so there is no such rule without nodes."""
    return rule_file(scope, on_metrics=False, expressions=loki_expressions)


def loki_expressions(scope: RuleScope, detection: Detection) -> list[str]:
    """The LogQL of a detection: one expression, or one for each node. Empty if there is nothing to watch in events.

    Bodies and annotations share one expression: either suffices. A detection that counts different values has a second
    expression, which fires if there may be too many values for Loki to count.
    """
    if isinstance(detection.source, Silence):
        return [silence_query(scope.threshold(detection), node, scope.cluster) for node in scope.nodes]
    threshold = number(scope.threshold(detection))
    ignored = scope.settings.ignore_users.get(detection.id, ())
    if isinstance(detection.source, Unannotated):
        if not scope.entries:
            return []
        lacking = unannotated_query(
            detection.source, scope.entries, scope.cluster, ignored, from_files=scope.from_files
        )
        return [f"({lacking}) > {threshold}"]
    if isinstance(detection.source, Volume) and scope.budget is not None:
        window = detection.source.window
        held = scope.budget.bytes_per_day * window / DAY
        return [f"{volume_query(window, scope.cluster)} / {round(held)} > {threshold}"]
    if isinstance(detection.source, Events):
        window = schedule_of(detection).window
        events = forms(detection.source, written_keys(scope.entries)).values()
        queries = [value_query(each, scope.cluster, ignored, window=window) for each in events]
        expressions = [
            f"{queries[0]} > {threshold}" if len(queries) == 1 else f"({' or '.join(queries)}) > {threshold}"
        ]
        if detection.source.distinct:
            # Loki fails where it finds more different values than this, so that many would hide behind more.
            total = value_query(replace(detection.source, distinct=""), scope.cluster, ignored, window=window)
            expressions.append(f"{total} > {_MOST_SERIES}")
        return expressions
    return []
