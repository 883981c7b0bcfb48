"""One control-plane node: its kube-apiserver static pod, changed in one health-gated transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_command import remote

from auditlog.manifest.desired import sha256
from auditlog.nodes.change_result import parse_result
from auditlog.plan.manifest_calls import apply_manifest, restore_manifest
from auditlog.plan.node_plan import NodePlan
from auditlog.plan.reasons import RECORD_ONLY
from auditlog.proof.verdict import DueProof
from auditlog.settings import Settings
from components.change import Change
from components.node_command import aliases, explain, node_command, warn
from components.scope import Scope


class ControlPlaneNode(pulumi.ComponentResource):
    """Puts policy and manifest in place on one node and waits until its API server runs with them.

    ``turn`` are arguments about the other nodes. With ``due_proof`` the Command and the proof run although the node is
    in sync.
    """

    TYPE = "kubernetes-audit:index:ControlPlaneNode"
    command: remote.Command
    """The change; its ``delete`` restores the manifest from before audit logging."""
    change: Change
    """Whether this run changes the node."""
    state: pulumi.Output[dict[str, str | float | bool]]
    """What the stack knows about the node after the change."""

    def __init__(
        self,
        name: str,
        node: NodePlan,
        settings: Settings,
        connection: remote.ConnectionArgs,
        depends_on: Sequence[pulumi.Resource],
        scope: Scope,
        turn: Mapping[str, str],
        due_proof: DueProof | None = None,
    ) -> None:
        former = scope.former(node.former)
        own = pulumi.ResourceOptions(aliases=aliases(former))
        super().__init__(self.TYPE, scope.name(name), None, pulumi.ResourceOptions.merge(scope.options(), own))
        self.change = Change(name, scope)
        due = {due_proof.argument: due_proof.name} if due_proof else {}
        self.command = node_command(
            scope.name(f"{name}-manifest"),
            connection,
            parent=self,
            depends_on=depends_on,
            apply=apply_manifest(node, settings, scope.owner, name, {**turn, **due}),
            delete=restore_manifest(node, settings, scope.owner, name),
            stdin=node.manifest.desired,
            ignore_changes=("create", "update") if node.in_sync and due_proof is None else (),
            former=scope.former(node.former, "-manifest"),
            secret=node.manifest.carries_credentials,
            hooks=self.change.hooks,
        )
        _explain(name, node, due_proof, self.command)
        in_place = {
            "manifestSha256": sha256(node.manifest.desired),
            "policySha256": sha256(node.policy.desired),
            "policyFile": node.policy.path,
            "logFile": settings.log_file or "",
        }
        state = self.command.stdout.apply(lambda printed: {"host": node.node.host, **_state(printed, in_place)})
        self.state = pulumi.Output.secret(state) if scope.hides_nodes or scope.hides_texts else state
        self.register_outputs({"state": self.state})


def _explain(name: str, node: NodePlan, due_proof: DueProof | None, command: remote.Command) -> None:
    """Shows in a preview why the node changes, and what to know all the same."""
    restarts = node.restart.sentences if node.needs_restart else ()
    reasons = (RECORD_ONLY,) if node.is_record_only else node.reasons
    proof = (due_proof.reason,) if due_proof else ()
    explain(name, node.manifest, (*reasons, *proof, *restarts), command)
    warn(name, node.warnings, command)


def _state(printed: str | None, in_place: Mapping[str, str]) -> dict[str, str | float | bool]:
    """What the stack knows of the node. None was printed where an update has other targets and the node is new."""
    if printed is None:
        return {"state": "not a target of the update"}
    result = parse_result(printed)
    return {**in_place, **(result.outputs() if result else {})}
