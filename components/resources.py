"""What a cluster's configuration asks for: facts -> plan -> resources -> outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pulumi

from auditlog.annotations.model import Entry
from auditlog.detections.annotated import written_keys
from auditlog.nodes.facts import Facts
from auditlog.observe.dashboards import all_dashboards, options_for
from auditlog.observe.in_cluster import in_cluster_texts
from auditlog.observe.queries import loki_queries, on_node_search
from auditlog.plan.digest import plan_digest
from auditlog.plan.plan import Plan, make_plan
from auditlog.plan.plan_error import PlanError
from auditlog.plan.removal import plan_removal
from auditlog.plan.secret_plan import secret_plan, secret_removal
from auditlog.policy.selection import SelectedPolicy
from auditlog.policy.validate import policy_as_read
from auditlog.proof.tasks import proof_tasks
from auditlog.proof.verdict import DueProof, due_proof
from auditlog.review.decision import decide, decide_removal
from auditlog.settings import DashboardMode, Settings
from components.cluster_resources import ClusterResources, Part
from components.configuration import Configuration
from components.control_plane import audited_nodes, forgotten_nodes, released_nodes, unread_nodes
from components.declaration import hold_declared
from components.in_short import say_in_short
from components.node_command import diff_message
from components.node_connection import connections
from components.plan_digest import check_plan_digest
from components.proof import Applied, proof_of, unread_proof
from components.scope import Scope

if TYPE_CHECKING:
    from components.in_cluster import InCluster


def declare_cluster(
    configuration: Configuration,
    policy: SelectedPolicy,
    entries: Sequence[Entry],
    facts: Mapping[str, Facts] | None,
    scope: Scope,
) -> ClusterResources:
    """Declares all resources. ``entries`` are the audit annotations; ``facts`` is None where nodes are not read."""
    settings = configuration.settings
    scope = replace(scope, take_over=settings.take_over)
    connection = connections(settings, configuration.private_key)
    dashboards = all_dashboards(options_for(settings)) if settings.dashboards.mode is not DashboardMode.OFF else ()
    there = _admission_policies(facts)
    kept = in_cluster_texts(settings, dashboards, entries)

    if not settings.nodes_to_read:
        control_plane = forgotten_nodes(settings, connection, scope)
    elif facts is None:
        control_plane = unread_nodes(settings, connection, scope)
    elif settings.enabled:
        plan = _plan(settings, policy.text, facts, scope.owner)
        plan = secret_plan(plan) if scope.hides_texts else plan
        say_in_short(lambda: decide(plan, settings, facts), scope)
        check_plan_digest(plan_digest(plan, settings, kept), scope)
        with hold_declared(plan, configuration) as held:
            tasks = proof_tasks(plan, settings, policy_as_read(policy.text, policy.source), facts)
            due = {} if isinstance(tasks, str) or not settings.proof.enabled else _due_proofs(facts)
            control_plane = audited_nodes(plan, settings, scope, connection, due, written_keys(entries))
            held.until(control_plane.last)
    else:
        removal = plan_removal(settings, facts, scope.owner)
        removal = secret_removal(removal) if scope.hides_texts else removal
        say_in_short(lambda: decide_removal(removal, settings, facts), scope)
        check_plan_digest(plan_digest(removal, settings, kept), scope)
        control_plane = released_nodes(removal, connection, scope)

    proves = settings.enabled and settings.proof.enabled and bool(settings.nodes_to_read)
    in_cluster: InCluster | None = None
    if settings.in_cluster:
        # Nothing else needs Kubernetes' own resources, and they take long to be imported.
        from components.in_cluster import declare_in_cluster

        in_cluster = declare_in_cluster(
            configuration,
            policy,
            connection,
            dashboards,
            entries,
            there,
            control_plane.last,
            scope,
            proves=proves and facts is not None,
        )
    alloy = in_cluster.alloy if in_cluster else None
    last: dict[Part, Sequence[pulumi.Resource]] = {
        Part.NODES: control_plane.last,
        Part.SHIPPING: [alloy.last] if alloy else [],
        Part.DASHBOARDS: in_cluster.dashboards if in_cluster else [],
        Part.ALERTS: in_cluster.alerts if in_cluster else [],
        Part.ANNOTATIONS: in_cluster.annotations if in_cluster else [],
    }

    proof: Any = None
    if proves:
        if facts is not None:
            way = [*last[Part.NODES], *last[Part.SHIPPING]]
            applied = Applied(control_plane.changes, alloy.change if alloy else None, way)
            proof = proof_of(tasks, settings, facts, configuration.account, applied, scope)
        else:
            proof = unread_proof(settings)

    in_force = {"source": policy.source, "sha256": policy.sha256} if settings.enabled and settings.nodes_to_read else {}
    outputs = {
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
    return ClusterResources(outputs, last)


def _admission_policies(facts: Mapping[str, Facts] | None) -> Mapping[str, str] | None:
    """Those of the cluster, from the first node that could tell."""
    told = [each.admission_policies for each in (facts or {}).values() if each.admission_policies is not None]
    return told[0] if told else None


def _kept(output: Mapping[str, Any], *, secret: bool) -> pulumi.Input[Mapping[str, Any]]:
    return pulumi.Output.secret(output) if secret else output


def _due_proofs(facts: Mapping[str, Facts]) -> Mapping[str, DueProof]:
    found = {node: due_proof(each.proof, each.unproven) for node, each in facts.items()}
    return {node: due for node, due in found.items() if due is not None}


def _plan(settings: Settings, policy_text: str, facts: Mapping[str, Facts], owner: str) -> Plan:
    """The plan. Raises PlanError, after a preview has shown what is known of it."""
    try:
        return make_plan(settings, policy_text, facts, owner)
    except PlanError as error:
        if pulumi.runtime.is_dry_run():
            for edit in error.edits:
                pulumi.log.info(diff_message(edit.where, edit.change, edit.reasons))
        raise
