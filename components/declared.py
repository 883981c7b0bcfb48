"""What a cluster's configuration asks for: facts -> plan -> resources -> outputs."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from auditlog.apiserver.facts import Facts
from auditlog.apiserver.plan import make_plan
from auditlog.apiserver.removal import plan_removal
from auditlog.observe.dashboards import all_dashboards, options_for
from auditlog.observe.queries import loki_queries, on_node_search
from auditlog.observe.rules import RuleScope
from auditlog.policy.read import read_policy
from auditlog.policy.selection import SelectedPolicy
from auditlog.settings import DashboardMode
from components.alerts import Alerts
from components.alloy import Alloy
from components.configuration import Configuration
from components.control_plane import audited_nodes, released_nodes, unread_nodes
from components.dashboards import Dashboards
from components.kubernetes_provider import kubernetes_provider
from components.node_connection import connections
from components.proof import proof_of, unread_proof
from components.scope import Scope


def declare_cluster(
    configuration: Configuration, policy: SelectedPolicy, reading: Future[Mapping[str, Facts]] | None, scope: Scope
) -> Mapping[str, Any]:
    """Declares all resources; gives the outputs by the names of ``auditlog.outputs``.

    ``reading`` is None where nodes are not read.
    """
    settings = configuration.settings
    connection = connections(settings, configuration.private_key)
    dashboards = all_dashboards(options_for(settings)) if settings.dashboards.mode is not DashboardMode.OFF else ()

    if reading is None:
        control_plane = unread_nodes(settings, connection, scope)
    else:
        facts = reading.result()
        if settings.enabled:
            plan = make_plan(settings, policy.text, facts, scope.owner)
            control_plane = audited_nodes(plan, settings, scope, connection, configuration.plan_digest)
        else:
            control_plane = released_nodes(plan_removal(settings, facts, scope.owner), connection, scope)

    rule_groups: Mapping[str, list[str]] = {}
    alloy: Alloy | None = None
    if settings.in_cluster:
        provider = kubernetes_provider(configuration.kubeconfig or "", scope)
        if settings.ships:
            alloy = Alloy("alloy", settings, connection, control_plane.last, scope, provider)
        if dashboards:
            Dashboards("dashboards", settings.dashboards, dashboards, control_plane.last, scope, provider)
        if settings.alerts.are_on and settings.enabled:
            rules, rule_scope = read_policy(policy.text, policy.source), RuleScope.of(settings)
            rule_groups = Alerts("alerts", rule_scope, rules, control_plane.last, scope, provider).groups

    proof: Any = None
    if settings.enabled and settings.proof.enabled:
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
        "ruleGroups": rule_groups,
        "onNodeSearch": on_node_search(settings.log),
        **({} if proof is None else {"proof": proof}),
        **({} if alloy is None else {"alloy": alloy.state}),
    }
