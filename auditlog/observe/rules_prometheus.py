"""Rules for Prometheus: detections on the metrics of the API server, the node, Alloy and Loki."""

from __future__ import annotations

from auditlog.detections.model import Detection, Metrics
from auditlog.detections.promql import MetricsScope, value_query
from auditlog.observe.rules import RuleFile, RuleScope, number, rule_file

_ABOUT_LOKIS_RULES = ("rule-evaluation-failures", "rules-not-evaluated")


def prometheus_rules(scope: RuleScope) -> RuleFile:
    """The rules of a stack."""
    return rule_file(scope, on_metrics=True, expressions=prometheus_expressions)


def prometheus_expressions(scope: RuleScope, detection: Detection) -> list[str]:
    """The PromQL of a detection on metrics; none for any other."""
    source = detection.source
    if not isinstance(source, Metrics) or (detection.id in _ABOUT_LOKIS_RULES and not scope.is_in_loki):
        return []
    value = value_query(
        source, MetricsScope(scope.cluster, scope.log_path, scope.addresses, scope.settings.selectors, scope.tenant)
    )
    return [f"({value}) {source.comparison} {number(scope.threshold(detection))}"]
