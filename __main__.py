"""Audit logging of one cluster's API servers, from the configuration to the outputs."""

from __future__ import annotations

import pulumi

from auditlog.apiserver.plan import make_plan
from auditlog.apiserver.read_nodes import read_nodes
from auditlog.apiserver.removal import plan_removal
from auditlog.observe.dashboards import all_dashboards, options_for
from auditlog.observe.queries import loki_queries, on_node_search
from auditlog.observe.rules import RuleScope
from auditlog.policy.read import read_policy
from auditlog.policy.selection import selected_policy
from auditlog.settings import DashboardMode
from components.alerts import Alerts
from components.alloy import Alloy
from components.configuration import read_configuration
from components.control_plane import audited_nodes, released_nodes, unread_nodes
from components.dashboards import Dashboards
from components.kubernetes_provider import kubernetes_provider
from components.node_connection import connections
from components.outcome import stop_on_mistake


@stop_on_mistake
def main() -> None:
    configuration = read_configuration()
    settings = configuration.settings
    policy = selected_policy(settings.policy)
    owner = f"{pulumi.get_project()}/{pulumi.get_stack()}"
    connection = connections(settings, configuration.private_key)

    if not settings.live_read:
        control_plane = unread_nodes(settings, connection)
    else:
        facts = read_nodes(
            settings.nodes_to_read,
            settings.bastion,
            configuration.account,
            settings.policy.path,
            settings.log_file or "",
            settings.webhook.path if settings.webhook else "",
        )
        if settings.enabled:
            plan = make_plan(settings, policy.text, facts, owner)
            control_plane = audited_nodes(plan, settings, owner, connection, configuration.plan_digest)
        else:
            control_plane = released_nodes(plan_removal(settings, facts, owner), connection)

    dashboards = all_dashboards(options_for(settings)) if settings.dashboards.mode is not DashboardMode.OFF else ()
    rule_groups: dict[str, list[str]] = {}
    if settings.in_cluster:
        in_cluster = pulumi.ResourceOptions(provider=kubernetes_provider(configuration.kubeconfig or ""))
        if settings.ships:
            alloy = Alloy("alloy", settings, connection, control_plane.last, in_cluster)
            pulumi.export("alloy", alloy.state)
        if dashboards:
            Dashboards("dashboards", settings.dashboards, dashboards, control_plane.last, in_cluster)
        if settings.alerts.are_on and settings.enabled:
            rules, scope = read_policy(policy.text, policy.source), RuleScope.of(settings)
            rule_groups = Alerts("alerts", scope, rules, control_plane.last, in_cluster).groups

    pulumi.export("cluster", settings.cluster)
    pulumi.export("policy", {"source": policy.source, "sha256": policy.sha256})
    pulumi.export("nodes", control_plane.states)
    pulumi.export("logPath", settings.log_file)
    pulumi.export("queries", loki_queries())
    pulumi.export("dashboards", {each.uid: {"title": each.title, "path": each.path} for each in dashboards})
    pulumi.export("ruleGroups", rule_groups)
    pulumi.export("onNodeSearch", on_node_search(settings.log))


main()
