"""Detections as rules, as far as Loki and Prometheus agree: selection, thresholds, labels, annotations, the file.

The file is the same for equal settings: groups by area, rules in the order of the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from auditlog.annotations.model import Entry
from auditlog.detections.acts import act_of
from auditlog.detections.catalogue import AREAS, DETECTIONS
from auditlog.detections.model import Detection, Metrics
from auditlog.detections.schedule import schedule_of
from auditlog.events.budget import Budget
from auditlog.observe.dashboards.alert_link import alert_link
from auditlog.settings import DEFAULT_LOG_PATH, AlertSettings, LokiRules, Settings
from auditlog.units import duration

Rule = dict[str, Any]
_USUAL_INTERVAL = 60
"""Seconds between two evaluations of a group, unless its name ends with another interval."""
_WITHOUT_TENANTS = "fake"
"""The name of the only tenant in a Loki without tenants."""


@dataclass(frozen=True, slots=True)
class RuleScope:
    """What the rules of one stack are about."""

    cluster: str = ""
    nodes: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    """Names and addresses of the nodes, for metrics."""
    log_path: str = DEFAULT_LOG_PATH
    settings: AlertSettings = field(default_factory=AlertSettings)
    entries: tuple[Entry, ...] = ()
    """The annotations that the stack writes."""
    tenant: str = ""
    """The tenant of the events in Loki; "" if it is not known."""
    is_in_loki: bool = True
    """Whether rules are given to Loki. If not, its silence is no fault."""
    budget: Budget | None = None
    """What the stack promises for its log; None if it promises nothing."""
    from_files: bool = False
    """Whether the annotations come from files on the nodes."""

    @classmethod
    def of(cls, settings: Settings, entries: Sequence[Entry] = ()) -> RuleScope:
        """The scope of a stack, and the annotations that it writes."""
        nodes = settings.nodes_with_manifest
        names = tuple(node.name for node in nodes)
        return cls(
            cluster=settings.cluster,
            nodes=names,
            addresses=tuple(dict.fromkeys((*names, *(node.host for node in nodes)))),
            log_path=settings.log_file or DEFAULT_LOG_PATH,
            settings=settings.alerts,
            entries=tuple(entries),
            tenant=(settings.loki.tenant or _WITHOUT_TENANTS) if settings.loki is not None else "",
            is_in_loki=settings.alerts.loki is not LokiRules.OFF,
            budget=settings.log.budget if settings.log else None,
            from_files=settings.annotations.in_files,
        )

    @property
    def loki_folder(self) -> str:
        """The ruler's folder for these rules: the stack's own setting, or else the tenant of its events."""
        return self.settings.loki_folder or self.tenant or _WITHOUT_TENANTS

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
    """The file, with a group for each area and interval. A detection has a rule for each of its expressions."""
    groups = []
    chosen = selected(scope.settings, on_metrics=on_metrics)
    for area, detections in AREAS.items():
        rules: dict[int, list[Rule]] = {}
        for each in detections:
            if each in chosen:
                made = [_rule(scope, each, expression) for expression in expressions(scope, each)]
                rules.setdefault(schedule_of(each).interval, []).extend(made)
        for interval in sorted(interval for interval, made in rules.items() if made):
            suffix = "" if interval == _USUAL_INTERVAL else duration(interval)
            name = "-".join(part for part in ("kubernetes-audit", scope.cluster, area, suffix) if part)
            groups.append({"name": name, "interval": duration(interval), "rules": rules[interval]})
    return RuleFile(tuple(groups))


def number(value: float) -> str:
    """A threshold as an expression has it: without a fraction if it is whole."""
    return str(int(value)) if value == int(value) else repr(value)


def _rule(scope: RuleScope, detection: Detection, expression: str) -> Rule:
    rule: Rule = {"alert": detection.alert, "expr": expression}
    if detection.hold:
        rule["for"] = duration(detection.hold)
    rule["labels"] = {"severity": detection.severity.value, "detection": detection.id}
    if act := act_of(detection.id):
        rule["labels"]["act"] = act
    if scope.cluster:
        rule["labels"]["cluster"] = scope.cluster
    rule["annotations"] = {
        "summary": detection.summary,
        "description": f"{detection.meaning} False positives: {detection.false_positives}",
    }
    if scope.settings.runbooks:
        rule["annotations"]["runbook_url"] = f"{scope.settings.runbooks.rstrip('/')}/{detection.id}.md"
    if scope.settings.grafana:
        rule["annotations"]["dashboard_url"] = alert_link(scope.settings.grafana, scope.cluster, detection)
    return rule
