"""From settings and facts to what is to change on every node, and why. Pure: it dials nothing and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditlog.apiserver.desired import audit_configuration, sha256
from auditlog.apiserver.facts import Facts
from auditlog.apiserver.file_change import FileChange
from auditlog.apiserver.kubeadm_config_plan import KubeadmConfigPlan, plan_kubeadm_config
from auditlog.apiserver.node_plan import NodePlan, PlanError, plan_node
from auditlog.apiserver.ownership import Owned
from auditlog.apiserver.preparation import PreparationPlan, plan_preparation
from auditlog.settings import Host, Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole stack's plan; nodes in the order in which they are changed.

    ``joining`` are machines that are prepared for ``kubeadm join``, ``gone`` are nodes that are forgotten undialled.
    """

    cluster: str
    nodes: tuple[NodePlan, ...]
    kubeadm_config: FileChange
    kubeadm_config_reasons: tuple[str, ...]
    kubeadm_config_owned: Owned
    joining: tuple[PreparationPlan, ...] = ()
    gone: tuple[Host, ...] = ()

    def keeps_scripts(self, node: NodePlan | PreparationPlan, script: str) -> bool:
        """Whether the node's copy of the node side stays: it is ``script`` already, or nothing there calls it now."""
        if node.scripts_sha256 == sha256(script):
            return True
        writes_kubeadm_config = node is self.nodes[0] and not self.kubeadm_config.in_sync
        return node.scripts_sha256 is not None and node.in_sync and not writes_kubeadm_config


def make_plan(settings: Settings, policy_text: str, facts: Mapping[str, Facts], owner: str) -> Plan:
    """The plan for these settings on nodes with these facts.

    ``policy_text`` is a policy that was read and validated; it is checked once more for each node's own version.
    ``owner`` names this stack in the marker on the nodes. Raises PlanError with every problem of every node.
    """
    configuration = audit_configuration(settings.policy, settings.log, settings.webhook)
    problems: list[str] = []
    nodes: list[NodePlan] = []
    joining: list[PreparationPlan] = []
    for node in settings.nodes_to_read:
        try:
            if node.joining and facts[node.name].manifest is None:
                joining.append(plan_preparation(node, settings, policy_text, facts[node.name], owner))
                continue
            nodes.append(plan_node(node, settings, configuration, policy_text, facts[node.name], owner))
        except PlanError as error:
            problems.extend(f"{node.name}: {problem}" for problem in error.problems)
    config: KubeadmConfigPlan | None = None
    try:
        config = plan_kubeadm_config(configuration, facts)
    except PlanError as error:
        problems.extend(error.problems)
    if problems or config is None:
        raise PlanError(problems)
    gone = tuple(node for node in settings.nodes if node.gone)
    return Plan(settings.cluster, tuple(nodes), config.change, config.reasons, config.owned, tuple(joining), gone)
