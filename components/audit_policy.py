"""The audit policy on every node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_command import remote

from auditlog.manifest.desired import sha256
from auditlog.nodes import node_scripts
from auditlog.plan.file_change import FileChange
from auditlog.plan.node_plan import NodePlan
from auditlog.plan.plan import Plan
from auditlog.plan.reasons import TAKEN_OVER
from auditlog.review.policy_change import describe_change
from auditlog.settings import Host
from components.node_command import explain, explain_hand_over, node_command, untouched_node_command
from components.scope import Scope


class AuditPolicy(pulumi.ComponentResource):
    """Brings the policy to each node and, on removal, takes it away after the API server has stopped using it.

    The file that the API server reads changes together with the manifest, in ``ControlPlaneNode``. ``files`` maps a
    node's name to its Command. ``written`` are the keys that annotations write into events.
    """

    TYPE = "kubernetes-audit:index:AuditPolicy"
    files: dict[str, remote.Command]

    def __init__(
        self,
        name: str,
        plan: Plan,
        connections: Mapping[str, remote.ConnectionArgs],
        scripts: Mapping[str, remote.Command],
        written: frozenset[str],
        scope: Scope,
    ) -> None:
        super().__init__(self.TYPE, scope.name(name), None, scope.options())
        self._written = written
        self._connections, self._scripts, self._scope = connections, scripts, scope
        self.files = {}
        for node in plan.nodes:
            host, change = node.node, node.policy
            command = self._declare(
                host,
                change,
                "stage-policy",
                in_sync=change.in_sync,
                path=change.path,
                live=change.token,
                former=node.former,
                staged=node.staged_policy_sha256 or "none",
                desired=sha256(change.desired),
            )
            if pulumi.runtime.is_dry_run() and not change.in_sync:
                meaning = () if change.secret else self._meaning(node)
                explain(host.name, change, (*node.policy_reasons, *meaning), command)
            explain_hand_over(host.name, node, scope, TAKEN_OVER, command)
        for machine in plan.joining:
            # No API server runs on the machine yet: the policy goes straight where it will be read.
            host, change = machine.node, machine.policy
            command = self._declare(
                host,
                change,
                "prepare-join",
                in_sync=machine.in_sync,
                policy=change.path,
                live=change.token,
                desired=sha256(change.desired),
                log=machine.log_path,
                owner=scope.owner,
                entry=host.name,
                edits_back="yes",
                former=machine.former,
                **({"former_owner": machine.taken_over_from} if machine.taken_over_from else {}),
            )
            explain(host.name, change, machine.reasons, command)
        for host in plan.gone:
            command_name = scope.name(f"{host.name}-policy")
            untouched_node_command(command_name, connections[host.name], parent=self, forget=True)
        self.register_outputs({})

    def _meaning(self, node: NodePlan) -> Sequence[str]:
        change = node.policy
        mode = node.audit_log_mode
        return describe_change(change.live, change.desired, node.kubernetes_minor, mode, self._written)

    def _declare(
        self, host: Host, change: FileChange, command: str, *, in_sync: bool, former: str | None, **arguments: str
    ) -> remote.Command:
        declared = node_command(
            self._scope.name(f"{host.name}-policy"),
            self._connections[host.name],
            parent=self,
            depends_on=[self._scripts[host.name]],
            apply=node_scripts.apply_call(host.user, command, **arguments),
            delete=node_scripts.call(
                host.user, "remove-policy", path=change.path, written=sha256(change.desired), owner=self._scope.owner
            ),
            stdin=change.desired,
            ignore_changes=("create", "update") if in_sync else (),
            former=self._scope.former(former, "-policy"),
            secret=change.carries_credentials,
        )
        self.files[host.name] = declared
        return declared
