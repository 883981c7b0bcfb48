"""What goes into the cluster itself, through its API server: Alloy, dashboards, alerting rules, annotations.

Rules may go to Loki's ruler instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pulumi
from pulumi_command import remote

from auditlog.annotations.model import Entry
from auditlog.nodes.facts import Facts
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
from components.ruler_rules import Live
from components.scope import Scope


@dataclass(frozen=True, slots=True)
class InCluster:
    """What was declared: Alloy, if any, the names of the alerts' rule groups, and the objects that were made."""

    alloy: Alloy | None = None
    rule_groups: Mapping[str, list[str]] = field(default_factory=dict)
    dashboards: Sequence[pulumi.Resource] = ()
    alerts: Sequence[pulumi.Resource] = ()


def declare_in_cluster(
    configuration: Configuration,
    policy: SelectedPolicy,
    connections: Mapping[str, remote.ConnectionArgs],
    dashboards: Sequence[RenderedDashboard],
    entries: Sequence[Entry],
    provider: pulumi.ProviderResource | None,
    depends_on: Sequence[pulumi.Resource],
    scope: Scope,
    in_ruler: Live,
    *,
    proves: bool,
) -> InCluster:
    """Declares what the settings ask for, but for annotations. ``provider`` is the cluster's, None
    where nothing is kept there.

    ``depends_on`` are the nodes: while they change, the API server is away. ``entries`` are what annotates, and
    ``in_ruler`` the rules in Loki's ruler. ``proves`` says whether the run proves the nodes after a change of Alloy;
    they then note beforehand that it is due.
    """
    settings = configuration.settings
    alloy: Alloy | None = None
    shown: Sequence[pulumi.Resource] = ()
    if settings.ships and provider is not None:
        owe = partial(owe_proof, settings.nodes_with_manifest, settings, configuration.account)
        alloy = Alloy("alloy", settings, connections, depends_on, scope, provider, owe if proves else None)
    if dashboards and provider is not None:
        shown = Dashboards("dashboards", settings.dashboards, dashboards, depends_on, scope, provider).objects
    if not (settings.alerts.are_on and settings.enabled):
        return InCluster(alloy, dashboards=shown)
    rules = policy_as_read(policy.text, policy.source)
    scope_of_rules = RuleScope.of(settings, entries)
    alerts = Alerts("alerts", scope_of_rules, rules, depends_on, scope, provider, settings.ruler, in_ruler)
    return InCluster(alloy, alerts.groups, shown, alerts.objects)


def provider_of(configuration: Configuration, scope: Scope) -> pulumi.ProviderResource:
    """Reaches the cluster."""
    settings = configuration.settings
    is_path = settings.kubeconfig_file is not None
    return kubernetes_provider(configuration.kubeconfig or "", settings.cluster, scope, is_path=is_path)


def declare_annotations(
    entries: Sequence[Entry],
    facts: Mapping[str, Facts] | None,
    provider: pulumi.ProviderResource,
    depends_on: Sequence[pulumi.Resource],
    scope: Scope,
) -> Sequence[pulumi.Resource]:
    """Declares the admission policies that annotate; gives their objects.

    The first of the nodes that could tell says which the cluster has, and whose they are.
    """
    there = next((each for each in (facts or {}).values() if each.admission_policies is not None), None)
    known, owners = (there.admission_policies, there.admission_policy_owners) if there else (None, None)
    return Annotations("annotations", entries, known, owners, depends_on, scope, provider).objects
