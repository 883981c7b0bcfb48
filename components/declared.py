"""What a cluster's configuration asks for: facts -> plan -> resources -> outputs."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pulumi

from auditlog.apiserver.facts import Facts
from auditlog.apiserver.plan import Plan, make_plan
from auditlog.apiserver.plan_error import PlanError
from auditlog.apiserver.removal import plan_removal
from auditlog.observe.dashboards import all_dashboards, options_for
from auditlog.observe.queries import loki_queries, on_node_search
from auditlog.policy.read import read_policy
from auditlog.policy.selection import SelectedPolicy
from auditlog.settings import DashboardMode, Settings
from components.configuration import Configuration
from components.control_plane import audited_nodes, forgotten_nodes, released_nodes, unread_nodes
from components.declaration import hold_declared
from components.node_command import diff_message
from components.node_connection import connections
from components.proof import proof_of, unread_proof
from components.scope import Scope

if TYPE_CHECKING:
    from components.in_cluster import InCluster


def declare_cluster(
    configuration: Configuration, policy: SelectedPolicy, reading: Future[Mapping[str, Facts]] | None, scope: Scope
) -> Mapping[str, Any]:
    """Declares all resources; gives the outputs by the names of ``auditlog.outputs``.

    ``reading`` is None where nodes are not read.
    """
    settings = configuration.settings
    connection = connections(settings, configuration.private_key)
    dashboards = all_dashboards(options_for(settings)) if settings.dashboards.mode is not DashboardMode.OFF else ()

    if not settings.nodes_to_read:
        control_plane = forgotten_nodes(settings, connection, scope)
    elif reading is None:
        control_plane = unread_nodes(settings, connection, scope)
    else:
        facts = reading.result()
        if settings.enabled:
            plan = _plan(settings, policy.text, facts, scope.owner)
            held = hold_declared(plan, configuration)
            try:
                control_plane = audited_nodes(plan, settings, scope, connection, configuration.plan_digest)
            except BaseException:
                held.release()
                raise
            held.until(control_plane.last)
        else:
            control_plane = released_nodes(plan_removal(settings, facts, scope.owner), connection, scope)

    in_cluster: InCluster | None = None
    if settings.in_cluster:
        # Nothing else needs Kubernetes' own resources, and they take long to be imported.
        from components.in_cluster import declare_in_cluster

        in_cluster = declare_in_cluster(configuration, policy, connection, dashboards, control_plane.last, scope)
    alloy = in_cluster.alloy if in_cluster else None

    proof: Any = None
    if settings.enabled and settings.proof.enabled and settings.nodes_to_read:
        if reading is not None:
            rules = read_policy(policy.text, policy.source)
            after = [*control_plane.last, *([alloy.last] if alloy else [])]
            proof = proof_of(plan, settings, rules, facts, configuration.account, after, scope)
        else:
            proof = unread_proof(settings)

    return {
        "cluster": settings.cluster,
        "policy": {"source": policy.source, "sha256": policy.sha256},
        "nodes": control_plane.states,
        "logPath": settings.log_file,
        "queries": loki_queries(),
        "dashboards": {each.uid: {"title": each.title, "path": each.path} for each in dashboards},
        "ruleGroups": in_cluster.rule_groups if in_cluster else {},
        "onNodeSearch": on_node_search(settings.log),
        **({} if proof is None else {"proof": proof}),
        **({} if alloy is None else {"alloy": alloy.state}),
    }


def _plan(settings: Settings, policy_text: str, facts: Mapping[str, Facts], owner: str) -> Plan:
    """The plan. Raises PlanError, after a preview has shown what is known of it."""
    try:
        return make_plan(settings, policy_text, facts, owner)
    except PlanError as error:
        if pulumi.runtime.is_dry_run():
            for edit in error.edits:
                pulumi.log.info(diff_message(edit.where, edit.change, edit.reasons))
        raise
