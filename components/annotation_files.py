"""The files on every node by which its API server annotates the audit log."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_command import remote

from auditlog.nodes import node_scripts
from auditlog.plan.file_change import FileChange
from auditlog.plan.node_plan import NodePlan
from auditlog.plan.plan import Plan
from auditlog.plan.preparation import PreparationPlan
from auditlog.plan.reasons import TAKEN_OVER
from auditlog.plan.startup_files import StartupFile
from components.node_command import explain, explain_hand_over, node_command, untouched_node_command
from components.scope import Scope

KINDS = ("admission", "static-policies")
"""The node's names of both files: the AdmissionConfiguration, and the admission policies."""


class AnnotationFiles(pulumi.ComponentResource):
    """Brings both files to each node and, on removal, takes them away after the API server has stopped using them.

    What the API server reads changes together with the manifest, in ``ControlPlaneNode``. ``files`` maps a node's name
    to its last Command; ``after`` are those that it follows, because a node lets one change at a time in.
    """

    TYPE = "kubernetes-audit:index:AnnotationFiles"
    files: dict[str, remote.Command]

    def __init__(
        self,
        name: str,
        plan: Plan,
        connections: Mapping[str, remote.ConnectionArgs],
        after: Mapping[str, remote.Command],
        scope: Scope,
    ) -> None:
        super().__init__(self.TYPE, scope.name(name), None, scope.options())
        self._connections, self._after, self._scope = connections, after, scope
        self.files = {}
        machines: list[NodePlan | PreparationPlan] = [*plan.nodes, *plan.joining]
        for machine in machines:
            files = machine.annotations
            if files is not None:
                admission, policies = KINDS
                self._declare(machine, admission, files.admission, files.startup, files.staged_admission_sha256)
                self._declare(machine, policies, files.policies, files.reloaded, files.staged_policies_sha256)
        for host in plan.gone:
            for kind in KINDS:
                command_name = scope.name(f"{host.name}-{kind}")
                untouched_node_command(command_name, connections[host.name], parent=self, forget=True)
        self.register_outputs({})

    def _declare(
        self,
        machine: NodePlan | PreparationPlan,
        kind: str,
        change: FileChange,
        file: StartupFile,
        staged: str | None,
    ) -> None:
        host, is_member = machine.node, isinstance(machine, NodePlan)
        # No API server runs on a machine that is to join: the file goes straight where it will be read.
        command, waiting = (f"stage-{kind}", {"staged": staged or "none"}) if is_member else (f"prepare-{kind}", {})
        declared = node_command(
            self._scope.name(f"{host.name}-{kind}"),
            self._connections[host.name],
            parent=self,
            depends_on=[self.files.get(host.name, self._after[host.name])],
            apply=node_scripts.apply_call(
                host.user, command, path=change.path, live=change.token, desired=file.desired_sha256, **waiting
            ),
            delete=node_scripts.call(
                host.user, f"remove-{kind}", path=change.path, written=file.desired_sha256, owner=self._scope.owner
            ),
            stdin=change.desired,
            ignore_changes=("create", "update") if change.in_sync else (),
            former=self._scope.former(machine.former, f"-{kind}"),
            secret=change.carries_credentials,
        )
        self.files[host.name] = declared
        reason = file.reason()
        if reason is not None:
            instead = machine.reloads if isinstance(machine, NodePlan) and kind == KINDS[1] else None
            explain(host.name, change, [reason, *([instead] if instead else [])], declared)
        explain_hand_over(host.name, machine, self._scope, TAKEN_OVER, declared)
