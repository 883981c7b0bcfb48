"""Rules for Loki's ruler: detections on audit events, on their absence, and on their volume."""

from __future__ import annotations

from auditlog.detections.logql import silence_query, value_query, volume_query
from auditlog.detections.model import Detection, Events, Silence, Volume
from auditlog.observe.rules import RuleFile, RuleScope, number, rule_file

_DAY = 86_400


def loki_rules(scope: RuleScope) -> RuleFile:
    """The rules of a stack. Silence is watched node by node, so there is no such rule without nodes."""
    return rule_file(scope, on_metrics=False, expressions=loki_expressions)


def loki_expressions(scope: RuleScope, detection: Detection) -> list[str]:
    """The LogQL of a detection: one expression, or one for each node; none for a detection on metrics."""
    if isinstance(detection.source, Silence):
        return [silence_query(scope.threshold(detection), node, scope.cluster) for node in scope.nodes]
    if isinstance(detection.source, Volume) and scope.budget is not None:
        window = detection.source.window
        held = scope.budget.bytes_per_day * window / _DAY
        return [f"{volume_query(window, scope.cluster)} / {round(held)} > {number(scope.threshold(detection))}"]
    if isinstance(detection.source, Events):
        ignored = scope.settings.ignore_users.get(detection.id, ())
        query = value_query(detection.source, scope.cluster, ignored)
        return [f"{query} > {number(scope.threshold(detection))}"]
    return []
