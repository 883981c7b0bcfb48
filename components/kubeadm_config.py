"""The kubeadm-config ConfigMap, so that kubeadm's own upgrades and joins keep audit logging."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
from pulumi_command import remote

from auditlog.manifest.desired import sha256
from auditlog.nodes import node_scripts
from auditlog.plan.plan import Plan
from auditlog.plan.reasons import (
    KUBEADM_CONFIG_EDITS_BACK,
    KUBEADM_CONFIG_RECORD_ONLY,
    KUBEADM_CONFIG_TAKEN_OVER,
)
from components.node_command import explain, explain_hand_over, node_command, warn
from components.scope import Scope


class KubeadmConfig(pulumi.ComponentResource):
    """Writes ClusterConfiguration through the first node.

    It is no ConfigMapPatch: destroying one removes the key it owns, and with it the whole ClusterConfiguration. A node
    that joins needs the policy file that ClusterConfiguration names. So it comes after the last healthy node, and goes
    first on removal.
    """

    TYPE = "kubernetes-audit:index:KubeadmConfig"
    command: remote.Command

    def __init__(
        self,
        name: str,
        plan: Plan,
        connection: remote.ConnectionArgs,
        depends_on: Sequence[pulumi.Resource],
        scope: Scope,
    ) -> None:
        super().__init__(self.TYPE, scope.name(name), None, scope.options())
        change, user = plan.kubeadm_config, plan.nodes[0].node.user
        desired, before = sha256(change.desired), change.before or ""
        # Only stacks that took over name their owner: every other stack's command stays as it is.
        identity = {"owner": scope.owner} if plan.nodes[0].was_taken_over else {}
        self.command = node_command(
            scope.name("cluster-configuration"),
            connection,
            parent=self,
            depends_on=depends_on,
            apply=node_scripts.apply_call(
                user,
                "apply-kubeadm-config",
                live=change.token,
                desired=desired,
                owned=plan.kubeadm_config_owned.record(),
            ),
            delete=node_scripts.call_to_give_back(
                user,
                "restore-kubeadm-config",
                change.desired,
                before,
                by_edits=plan.nodes[0].edits_back,
                **identity,
                written=desired,
                restore=sha256(before),
            ),
            stdin=change.desired,
            ignore_changes=("create", "update") if change.in_sync else (),
            secret=change.carries_credentials,
        )
        reasons = (KUBEADM_CONFIG_RECORD_ONLY,) if plan.is_kubeadm_config_record_only else plan.kubeadm_config_reasons
        if not reasons and plan.nodes[0].is_owned and plan.nodes[0].edits_back != plan.nodes[0].edits_back_recorded:
            reasons = (KUBEADM_CONFIG_EDITS_BACK,)
        explain(plan.cluster, change, reasons, self.command)
        explain_hand_over(plan.cluster, plan.nodes[0], scope, KUBEADM_CONFIG_TAKEN_OVER, self.command)
        warn(plan.cluster, plan.warnings, self.command)
        self.register_outputs({})
