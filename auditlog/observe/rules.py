"""Detections as rules, as far as Loki and Prometheus agree: selection, thresholds, labels, annotations, the file.

The file is the same for equal settings: groups by area, rules in the order of the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from auditlog.detections import retention
from auditlog.detections.catalogue import AREAS, DETECTIONS
from auditlog.detections.logql import duration
from auditlog.detections.model import Detection, Metrics
from auditlog.events.budget import Budget
from auditlog.settings import DEFAULT_LOG_PATH, AlertSettings, Settings

Rule = dict[str, Any]
INTERVAL = 60
"""Seconds between two evaluations."""
INTERVALS = {"retention": retention.INTERVAL}
"""The same for areas that need another one."""


@dataclass(frozen=True, slots=True)
class RuleScope:
    """What the rules of one stack are about. `addresses` are names and addresses of its nodes, for metrics.

    `budget` is what the stack promises of its log, None where it promises nothing.
    """

    cluster: str = ""
    nodes: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    log_path: str = DEFAULT_LOG_PATH
    settings: AlertSettings = field(default_factory=AlertSettings)
    budget: Budget | None = None

    @classmethod
    def of(cls, settings: Settings) -> RuleScope:
        """The scope of a stack."""
        nodes = settings.nodes_with_manifest
        names = tuple(node.name for node in nodes)
        return cls(
            cluster=settings.cluster,
            nodes=names,
            addresses=tuple(dict.fromkeys((*names, *(node.host for node in nodes)))),
            log_path=settings.log_file or DEFAULT_LOG_PATH,
            settings=settings.alerts,
            budget=settings.log.budget if settings.log else None,
        )

    def threshold(self, detection: Detection) -> float:
        """The stack's own threshold, or else the catalogue's."""
        return self.settings.thresholds.get(detection.id, detection.threshold)


@dataclass(frozen=True, slots=True)
class RuleFile:
    """Groups of rules, as Loki's ruler and Prometheus read them."""

    groups: tuple[dict[str, Any], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the groups."""
        return tuple(group["name"] for group in self.groups)

    @property
    def text(self) -> str:
        """The file, in YAML."""
        return yaml.safe_dump({"groups": list(self.groups)}, sort_keys=False, width=10_000, allow_unicode=True)


def selected(settings: AlertSettings, *, on_metrics: bool) -> tuple[Detection, ...]:
    """The detections that become rules, for Prometheus or else for Loki, in the order of the catalogue."""
    return tuple(
        each
        for each in DETECTIONS
        if isinstance(each.source, Metrics) is on_metrics and each.id not in settings.disable
    )


def rule_file(
    scope: RuleScope, *, on_metrics: bool, expressions: Callable[[RuleScope, Detection], list[str]]
) -> RuleFile:
    """A group for each area; a detection has a rule for each of its expressions."""
    groups = []
    chosen = selected(scope.settings, on_metrics=on_metrics)
    for area, detections in AREAS.items():
        rules = [
            _rule(scope, each, expression)
            for each in detections
            if each in chosen
            for expression in expressions(scope, each)
        ]
        if rules:
            name = "-".join(part for part in ("kubernetes-audit", scope.cluster, area) if part)
            interval = INTERVALS.get(area, INTERVAL)
            groups.append({"name": name, "interval": duration(interval), "rules": rules})
    return RuleFile(tuple(groups))


def number(value: float) -> str:
    """A threshold as it stands in an expression."""
    return str(int(value)) if value == int(value) else repr(value)


def _rule(scope: RuleScope, detection: Detection, expression: str) -> Rule:
    rule: Rule = {"alert": detection.alert, "expr": expression}
    if detection.hold:
        rule["for"] = duration(detection.hold)
    rule["labels"] = {"severity": detection.severity.value, "detection": detection.id}
    if scope.cluster:
        rule["labels"]["cluster"] = scope.cluster
    rule["annotations"] = {
        "summary": detection.summary,
        "description": f"{detection.meaning} False positives: {detection.false_positives}",
    }
    if scope.settings.runbooks:
        rule["annotations"]["runbook_url"] = f"{scope.settings.runbooks.rstrip('/')}/{detection.id}.md"
    return rule
