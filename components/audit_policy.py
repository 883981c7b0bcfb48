"""The audit policy on every node."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_command import remote

from auditlog.apiserver import node_scripts
from auditlog.apiserver.desired import sha256
from auditlog.apiserver.plan import Plan
from auditlog.apiserver.preparation import PreparationPlan
from auditlog.policy.change import describe_change
from components.node_command import explain, node_command, untouched_node_command


class AuditPolicy(pulumi.ComponentResource):
    """Brings the policy to each node and, on removal, takes it away after the API server has stopped using it.

    The file that the API server reads changes together with the manifest, in ``ControlPlaneNode``. ``files`` maps a
    node's name to its Command.
    """

    TYPE = "kubernetes-audit:index:AuditPolicy"
    files: dict[str, remote.Command]

    def __init__(
        self,
        name: str,
        plan: Plan,
        connections: Mapping[str, remote.ConnectionArgs],
        scripts: Mapping[str, remote.Command],
        owner: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(self.TYPE, name, None, opts)
        self.files = {}
        for node in plan.nodes:
            host, change = node.node, node.policy
            desired = sha256(change.desired)
            self.files[host.name] = node_command(
                f"{host.name}-policy",
                connections[host.name],
                parent=self,
                depends_on=[scripts[host.name]],
                apply=node_scripts.call(
                    host.user,
                    "stage-policy",
                    path=change.path,
                    live=change.token,
                    staged=node.staged_policy_sha256 or "none",
                    desired=desired,
                ),
                delete=node_scripts.call(host.user, "remove-policy", path=change.path, written=desired, owner=owner),
                stdin=change.desired,
                ignore_changes=("create", "update") if change.in_sync else (),
            )
            if pulumi.runtime.is_dry_run() and not change.in_sync:
                meaning = describe_change(change.live, change.desired, node.kubernetes_minor, node.audit_log_mode)
                explain(host.name, change, (*node.policy_reasons, *meaning), self.files[host.name])
        for machine in plan.joining:
            host = machine.node
            self.files[host.name] = self._prepare(machine, owner, connections[host.name], scripts[host.name])
        for host in plan.gone:
            untouched_node_command(f"{host.name}-policy", connections[host.name], parent=self, forget=True)
        self.register_outputs({})

    def _prepare(
        self, machine: PreparationPlan, owner: str, connection: remote.ConnectionArgs, scripts: remote.Command
    ) -> remote.Command:
        """Puts the policy straight where it will be read: no API server runs on the machine yet."""
        host, change = machine.node, machine.policy
        desired = sha256(change.desired)
        command = node_command(
            f"{host.name}-policy",
            connection,
            parent=self,
            depends_on=[scripts],
            apply=node_scripts.call(
                host.user,
                "prepare-join",
                policy=change.path,
                live=change.token,
                desired=desired,
                log=machine.log_path,
                owner=owner,
            ),
            delete=node_scripts.call(host.user, "remove-policy", path=change.path, written=desired, owner=owner),
            stdin=change.desired,
            ignore_changes=("create", "update") if machine.in_sync else (),
        )
        explain(host.name, change, machine.reasons, command)
        return command
