"""The kubeconfig of the audit webhook on every node."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_command import remote

from auditlog.nodes import node_scripts
from auditlog.plan.plan import Plan
from auditlog.plan.reasons import TAKEN_OVER
from auditlog.plan.startup_files import StartupFile
from auditlog.plan.webhook_kubeconfig import webhook_kubeconfig
from auditlog.settings import Host, WebhookSettings
from components.node_command import explain_hand_over, node_command, untouched_node_command
from components.scope import Scope


class AuditWebhook(pulumi.ComponentResource):
    """Brings the kubeconfig to each node. On removal it takes the file away after the API server has stopped using it.

    It is a separate Command, because it holds credentials: its standard input and what it prints are secret, and
    nothing is logged. The file that the API server reads changes together with the manifest, in ``ControlPlaneNode``.
    ``files`` maps a node's name to its Command. ``policies`` are the Commands of the policy. It follows them, because a
    node lets one change at a time in.
    """

    TYPE = "kubernetes-audit:index:AuditWebhook"
    files: dict[str, remote.Command]

    def __init__(
        self,
        name: str,
        webhook: WebhookSettings,
        plan: Plan,
        connections: Mapping[str, remote.ConnectionArgs],
        policies: Mapping[str, remote.Command],
        scope: Scope,
    ) -> None:
        super().__init__(self.TYPE, scope.name(name), None, scope.options())
        self._kubeconfig, self._scope = webhook_kubeconfig(webhook), scope
        self._connections, self._policies = connections, policies
        self.files = {}
        for node in plan.nodes:
            if node.webhook is not None:
                staged = node.staged_webhook_sha256 or "none"
                self._declare(node.node, "stage-webhook", node.webhook, node.former, staged=staged)
                explain_hand_over(node.node.name, node, scope, TAKEN_OVER, self.files[node.node.name])
        for machine in plan.joining:
            if machine.webhook is not None:
                # No API server runs on the machine yet: the file goes straight where it will be read.
                self._declare(machine.node, "prepare-webhook", machine.webhook, machine.former)
        for host in plan.gone:
            command_name = scope.name(f"{host.name}-webhook")
            untouched_node_command(command_name, connections[host.name], parent=self, forget=True)
        self.register_outputs({})

    def _declare(self, host: Host, command: str, change: StartupFile, former: str | None, **more: str) -> None:
        self.files[host.name] = node_command(
            self._scope.name(f"{host.name}-webhook"),
            self._connections[host.name],
            parent=self,
            depends_on=[self._policies[host.name]],
            apply=node_scripts.apply_call(
                host.user, command, path=change.path, live=change.token, desired=change.desired_sha256, **more
            ),
            delete=node_scripts.call(
                host.user, "remove-webhook", path=change.path, written=change.desired_sha256, owner=self._scope.owner
            ),
            stdin=self._kubeconfig,
            ignore_changes=("create", "update") if change.in_sync else (),
            former=self._scope.former(former, "-webhook"),
            secret=True,
            silent=True,
        )
