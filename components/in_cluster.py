"""What goes into the cluster itself, through its API server: Alloy, dashboards, alerting rules, annotations.

Rules may go to Loki's ruler instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_command import remote

from auditlog.annotations.model import Entry
from auditlog.observe.dashboards import RenderedDashboard
from auditlog.observe.rules import RuleScope
from auditlog.policy.selection import SelectedPolicy
from auditlog.policy.validate import policy_as_read
from components.alerts import Alerts
from components.alloy import Alloy
from components.annotations import Annotations
from components.configuration import Configuration
from components.dashboards import Dashboards
from components.kubernetes_provider import kubernetes_provider
from components.ruler_rules import Live
from components.scope import Scope


@dataclass(frozen=True, slots=True)
class InCluster:
    """What was declared: Alloy, if any, the names of the alerts' rule groups, and the objects that were made."""

    alloy: Alloy | None = None
    rule_groups: Mapping[str, list[str]] = field(default_factory=dict)
    dashboards: Sequence[pulumi.Resource] = ()
    alerts: Sequence[pulumi.Resource] = ()
    annotations: Sequence[pulumi.Resource] = ()


def declare_in_cluster(
    configuration: Configuration,
    policy: SelectedPolicy,
    connections: Mapping[str, remote.ConnectionArgs],
    dashboards: Sequence[RenderedDashboard],
    entries: Sequence[Entry],
    admission_policies: Mapping[str, str] | None,
    depends_on: Sequence[pulumi.Resource],
    scope: Scope,
    in_ruler: Live,
) -> InCluster:
    """Declares what the settings ask for. ``depends_on`` are the nodes: while they change, the API server is away.

    ``admission_policies`` are those of annotations that the cluster has, and their bindings, as in `Facts`;
    ``in_ruler`` the rules in Loki's ruler.
    """
    settings = configuration.settings
    provider: pulumi.ProviderResource | None = None
    alloy: Alloy | None = None
    shown: Sequence[pulumi.Resource] = ()
    annotations: Sequence[pulumi.Resource] = ()
    if settings.in_cluster:
        provider = kubernetes_provider(
            configuration.kubeconfig or "", settings.cluster, scope, is_path=settings.kubeconfig_file is not None
        )
        if settings.ships:
            alloy = Alloy("alloy", settings, connections, depends_on, scope, provider)
        if dashboards:
            shown = Dashboards("dashboards", settings.dashboards, dashboards, depends_on, scope, provider).objects
        if entries:
            annotations = Annotations("annotations", entries, admission_policies, depends_on, scope, provider).objects
    if not (settings.alerts.are_on and settings.enabled):
        return InCluster(alloy, dashboards=shown, annotations=annotations)
    rules = policy_as_read(policy.text, policy.source)
    scope_of_rules = RuleScope.of(settings, entries)
    alerts = Alerts("alerts", scope_of_rules, rules, depends_on, scope, provider, settings.ruler, in_ruler)
    return InCluster(alloy, alerts.groups, shown, alerts.objects, annotations)
