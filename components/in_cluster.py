"""What goes into the cluster itself, through its API server: Alloy, dashboards, alerting rules, annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pulumi
from pulumi_command import remote

from auditlog.annotations.model import Entry
from auditlog.observe.dashboards import RenderedDashboard
from auditlog.observe.rules import RuleScope
from auditlog.policy.selection import SelectedPolicy
from auditlog.policy.validate import policy_as_read
from auditlog.proof.prove import owe_proof
from components.alerts import Alerts
from components.alloy import Alloy
from components.annotations import Annotations
from components.configuration import Configuration
from components.dashboards import Dashboards
from components.kubernetes_provider import kubernetes_provider
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
    *,
    proves: bool,
) -> InCluster:
    """Declares what the settings ask for. ``depends_on`` are the nodes: while they change, the API server is away.

    ``proves`` says whether the run proves the nodes after a change of Alloy; they then note beforehand that it is due.

    ``admission_policies`` are those of annotations that the cluster has, and their bindings, as in `Facts`.
    """
    settings = configuration.settings
    provider = kubernetes_provider(
        configuration.kubeconfig or "", settings.cluster, scope, is_path=settings.kubeconfig_file is not None
    )
    alloy: Alloy | None = None
    if settings.ships:
        owe = partial(owe_proof, settings.nodes_with_manifest, settings, configuration.account)
        alloy = Alloy("alloy", settings, connections, depends_on, scope, provider, owe if proves else None)
    shown: Sequence[pulumi.Resource] = ()
    if dashboards:
        shown = Dashboards("dashboards", settings.dashboards, dashboards, depends_on, scope, provider).objects
    annotations: Sequence[pulumi.Resource] = ()
    if entries:
        annotations = Annotations("annotations", entries, admission_policies, depends_on, scope, provider).objects
    if not (settings.alerts.are_on and settings.enabled):
        return InCluster(alloy, dashboards=shown, annotations=annotations)
    rules = policy_as_read(policy.text, policy.source)
    alerts = Alerts("alerts", RuleScope.of(settings, entries), rules, depends_on, scope, provider)
    return InCluster(alloy, alerts.groups, shown, alerts.objects, annotations)
