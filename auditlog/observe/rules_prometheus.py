"""Rules for Prometheus: detections on the metrics of the API server, the node, Alloy and Loki."""

from __future__ import annotations

from auditlog.detections.model import Detection, Metrics
from auditlog.detections.promql import value_query
from auditlog.observe.rules import RuleFile, RuleScope, number, rule_file


def prometheus_rules(scope: RuleScope) -> RuleFile:
    """The rules of a stack."""
    return rule_file(scope, on_metrics=True, expressions=prometheus_expressions)


def prometheus_expressions(scope: RuleScope, detection: Detection) -> list[str]:
    """The PromQL of a detection on metrics; none for any other."""
    source = detection.source
    if not isinstance(source, Metrics):
        return []
    value = value_query(source, scope.log_path, scope.addresses, scope.settings.selectors)
    return [f"({value}) {source.comparison} {number(scope.threshold(detection))}"]
