"""The texts that the stack keeps in the cluster, to compare them as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from auditlog.annotations.model import Entry
from auditlog.observe.alloy import alloy_configuration, alloy_snippet, run_script
from auditlog.observe.dashboards import RenderedDashboard
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_rules
from auditlog.observe.rules_prometheus import prometheus_rules
from auditlog.observe.source import source_of
from auditlog.settings import STDOUT, Settings


def in_cluster_texts(
    settings: Settings, dashboards: Sequence[RenderedDashboard], entries: Sequence[Entry] = ()
) -> tuple[str, ...]:
    """The texts of dashboards, annotations, alerting rules and Alloy, if the settings ask for them."""
    texts = [f"{dashboard.uid}\n{dashboard.json}" for dashboard in dashboards]
    texts += map(repr, entries)
    if settings.alerts.are_on and settings.enabled:
        rules = RuleScope.of(settings, entries)
        texts += [repr(file.groups) for file in (loki_rules(rules), prometheus_rules(rules))]
    if settings.ships:
        source = source_of(settings.log.path if settings.log else STDOUT)
        texts.append(alloy_snippet(settings.cluster, source, settings.alloy, settings.loki))
        if settings.loki is not None:
            texts += [alloy_configuration(settings.cluster, source, settings.loki), run_script()]
    return tuple(texts)
