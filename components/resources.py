"""What a cluster's configuration asks for: facts -> plan -> resources -> outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pulumi

from auditlog.annotations.model import Entry
from auditlog.annotations.owners import check_owners
from auditlog.nodes.facts import Facts
from auditlog.observe.dashboards import RenderedDashboard, all_dashboards, options_for
from auditlog.observe.in_cluster import in_cluster_texts
from auditlog.observe.queries import loki_queries, on_node_search
from auditlog.plan.annotation_files import delivers_by_files
from auditlog.policy.selection import SelectedPolicy
from auditlog.settings import DashboardMode, Settings
from components.cluster_resources import ClusterResources, Part
from components.configuration import Configuration
from components.control_plane import ControlPlane
from components.declared_nodes import DeclaredNodes, declare_nodes
from components.node_connection import connections
from components.proof import Applied, proof_of, unread_proof
from components.scope import Scope

if TYPE_CHECKING:
    from components.in_cluster import InCluster
    from components.ruler_rules import Live


def declare_cluster(
    configuration: Configuration,
    policy: SelectedPolicy,
    entries: Sequence[Entry],
    facts: Mapping[str, Facts] | None,
    scope: Scope,
    in_ruler: Live = None,
) -> ClusterResources:
    """Declares all resources. ``entries`` are the audit annotations; ``facts`` is None where nodes are not read.

    ``in_ruler`` are the rules in Loki's ruler, None where it is not asked. Raises PlanError, and TakenError for
    annotations in the cluster that are another's.
    """
    settings = configuration.settings
    scope = replace(scope, take_over=settings.take_over)
    connection = connections(settings, configuration.private_key)
    dashboards = all_dashboards(options_for(settings)) if settings.dashboards.mode is not DashboardMode.OFF else ()
    kept = in_cluster_texts(settings, dashboards, entries)
    provider: pulumi.ProviderResource | None = None
    if settings.in_cluster or settings.ruler:
        # Nothing else needs Kubernetes' own resources, and they take long to be imported.
        from components.in_cluster import declare_annotations, declare_in_cluster, provider_of

        provider = provider_of(configuration, scope) if settings.in_cluster else None
    for_cluster = () if settings.annotations.in_files else entries
    for each in (facts or {}).values():
        check_owners(for_cluster, each.admission_policy_owners or {}, scope.owner, settings.take_over)
    annotations: Sequence[pulumi.Resource] = ()
    # Where files deliver until now, they stay until the cluster's own policies are in force.
    comes_first = any(map(delivers_by_files, (facts or {}).values()))
    if provider is not None and for_cluster and comes_first:
        annotations = declare_annotations(for_cluster, facts, provider, (), scope)
    declared = declare_nodes(configuration, policy, entries, facts, connection, kept, annotations, scope)
    control_plane = declared.control_plane

    proves = settings.enabled and settings.proof.enabled and bool(settings.nodes_to_read)
    in_cluster: InCluster | None = None
    if settings.in_cluster or settings.ruler:
        in_cluster = declare_in_cluster(
            configuration,
            policy,
            connection,
            dashboards,
            entries,
            provider,
            control_plane.last,
            scope,
            in_ruler,
            proves=proves and facts is not None,
        )
    if provider is not None and for_cluster and not comes_first:
        annotations = declare_annotations(for_cluster, facts, provider, control_plane.last, scope)
    last = _last(control_plane, in_cluster, annotations)
    proof = _proof(declared, configuration, facts, in_cluster, last, scope) if proves else None
    return ClusterResources(_outputs(settings, policy, control_plane, dashboards, in_cluster, proof, scope), last)


def _proof(
    declared: DeclaredNodes,
    configuration: Configuration,
    facts: Mapping[str, Facts] | None,
    in_cluster: InCluster | None,
    last: Mapping[Part, Sequence[pulumi.Resource]],
    scope: Scope,
) -> Any:
    settings = configuration.settings
    if facts is None:
        return unread_proof(settings)
    alloy = in_cluster.alloy if in_cluster else None
    way = [*last[Part.NODES], *last[Part.SHIPPING]]
    applied = Applied(declared.control_plane.changes, alloy.change if alloy else None, way)
    return proof_of(declared.tasks, settings, facts, configuration.account, applied, scope)


def _outputs(
    settings: Settings,
    policy: SelectedPolicy,
    control_plane: ControlPlane,
    dashboards: Sequence[RenderedDashboard],
    in_cluster: InCluster | None,
    proof: Any,
    scope: Scope,
) -> Mapping[str, Any]:
    alloy = in_cluster.alloy if in_cluster else None
    in_force = {"source": policy.source, "sha256": policy.sha256} if settings.enabled and settings.nodes_to_read else {}
    return {
        "cluster": settings.cluster,
        "policy": _kept(in_force, secret=scope.hides_texts),
        "nodes": _kept(control_plane.states, secret=scope.hides_nodes or scope.hides_texts),
        "logPath": settings.log_file,
        "queries": loki_queries(),
        "dashboards": {each.uid: {"title": each.title, "path": each.path} for each in dashboards},
        "ruleGroups": in_cluster.rule_groups if in_cluster else {},
        "onNodeSearch": on_node_search(settings.log),
        **({} if proof is None else {"proof": proof}),
        **({} if alloy is None else {"alloy": alloy.state}),
    }


def _last(
    control_plane: ControlPlane, in_cluster: InCluster | None, annotations: Sequence[pulumi.Resource]
) -> Mapping[Part, Sequence[pulumi.Resource]]:
    """The resources after which each part is done."""
    nodes = {Part.NODES: control_plane.last}
    if in_cluster is None:
        return {**dict.fromkeys(Part, ()), **nodes}
    return {
        **nodes,
        Part.SHIPPING: [in_cluster.alloy.last] if in_cluster.alloy else [],
        Part.DASHBOARDS: in_cluster.dashboards,
        Part.ALERTS: in_cluster.alerts,
        Part.ANNOTATIONS: annotations,
    }


def _kept(output: Mapping[str, Any], *, secret: bool) -> pulumi.Input[Mapping[str, Any]]:
    return pulumi.Output.secret(output) if secret else output
