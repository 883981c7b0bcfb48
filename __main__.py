"""Audit logging of one cluster's API servers, from the configuration to the outputs."""

from __future__ import annotations

import pulumi

from auditlog.apiserver.plan import make_plan
from auditlog.apiserver.read_nodes import read_nodes
from auditlog.observe.dashboards import all_dashboards, options_for
from auditlog.observe.queries import loki_queries, on_node_search
from auditlog.policy.selection import selected_policy
from auditlog.settings import DashboardMode
from components.audit_policy import AuditPolicy
from components.configuration import read_configuration
from components.control_plane_node import ControlPlaneNode
from components.dashboards import Dashboards
from components.kubeadm_config import KubeadmConfig
from components.kubernetes_provider import kubernetes_provider
from components.node_connection import connections
from components.node_scripts import NodeScripts
from components.outcome import stop_on_mistake


@stop_on_mistake
def main() -> None:
    configuration = read_configuration()
    settings = configuration.settings
    policy = selected_policy(settings.policy)

    facts = read_nodes(
        settings.nodes, settings.bastion, configuration.private_key, settings.policy.path, settings.log.path
    )
    owner = f"{pulumi.get_project()}/{pulumi.get_stack()}"
    plan = make_plan(settings, policy.text, facts, owner)

    connection = connections(settings, configuration.private_key)
    scripts = NodeScripts("node-scripts", plan, connection)
    audit_policy = AuditPolicy("audit-policy", plan, connection, scripts.commands)
    nodes: list[ControlPlaneNode] = []
    for node in plan.nodes:
        after = [audit_policy.files[node.node.name], *(previous.command for previous in nodes[-1:])]
        nodes.append(ControlPlaneNode(node.node.name, node, settings, owner, connection[node.node.name], after))
    kubeadm_config = KubeadmConfig(
        "kubeadm-config", plan, connection[plan.nodes[0].node.name], [node.command for node in nodes]
    )

    dashboards = all_dashboards(options_for(settings)) if settings.dashboards.mode is not DashboardMode.OFF else ()
    if dashboards:
        in_cluster = pulumi.ResourceOptions(provider=kubernetes_provider(configuration.kubeconfig))
        Dashboards("dashboards", settings.dashboards, dashboards, [kubeadm_config.command], in_cluster)

    pulumi.export("cluster", settings.cluster)
    pulumi.export("policy", {"source": policy.source, "sha256": policy.sha256})
    pulumi.export("nodes", {plan.node.name: node.state for plan, node in zip(plan.nodes, nodes, strict=True)})
    pulumi.export("logPath", settings.log.path)
    pulumi.export("queries", loki_queries())
    pulumi.export("dashboards", {each.uid: {"title": each.title, "path": each.path} for each in dashboards})
    pulumi.export("onNodeSearch", on_node_search(settings.log.path))


main()
