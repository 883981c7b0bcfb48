"""One control-plane node: its kube-apiserver static pod, changed in one health-gated transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_command import remote

from auditlog.manifest.desired import sha256
from auditlog.nodes import node_scripts
from auditlog.nodes.change_result import parse_result
from auditlog.plan.node_plan import NodePlan
from auditlog.plan.reasons import RECORD_ONLY
from auditlog.proof.verdict import DueProof
from auditlog.settings import Settings
from components.change import Change
from components.node_command import aliases, explain, node_command, warn
from components.scope import Scope


class ControlPlaneNode(pulumi.ComponentResource):
    """Puts policy and manifest in place on one node and waits until its API server runs with them.

    ``state`` is what the stack knows of the node once that has happened. Its Command's ``delete`` says how the
    manifest was before audit logging, so that ``pulumi destroy`` needs neither this program nor the node's memory.
    ``turn`` is what the node is told of the others. With ``due_proof`` the Command runs although the node is in sync,
    and with it the proof.
    ``change`` says whether this run changes the node.
    """

    TYPE = "kubernetes-audit:index:ControlPlaneNode"
    command: remote.Command
    change: Change
    state: pulumi.Output[dict[str, str | float | bool]]

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
        change, user = node.manifest, node.node.user
        desired, policy = sha256(change.desired), sha256(node.policy.desired)
        timeout = str(settings.health_timeout)
        before = change.before or ""
        identity = {"owner": scope.owner, "entry": name}
        self.command = node_command(
            scope.name(f"{name}-manifest"),
            connection,
            parent=self,
            depends_on=depends_on,
            apply=node_scripts.apply_call(
                user,
                "apply-manifest",
                live=change.token,
                desired=desired,
                policy=node.policy.path,
                policy_live=node.policy.token,
                policy_desired=policy,
                arguments=node.arguments_sha256,
                arguments_before=node.arguments_live_sha256,
                endpoint=node.endpoint,
                log=settings.log.path if settings.log else "",
                marker="yes" if node.marker_is_recorded else "no",
                restart=",".join(process.token for process in node.processes_to_end) or "no",
                quarantine="/".join(f"{stray.name}@{stray.changed}" for stray in node.quarantined) or "none",
                timeout=timeout,
                **identity,
                **({"former_owner": node.taken_over_from} if node.taken_over_from else {}),
                owned=node.owned.record(),
                **({"edits_back": "yes"} if node.edits_back else {}),
                **_webhook(node),
                **(node.annotations.arguments if node.annotations else {}),
                **dict(node.transaction),
                **turn,
                **({due_proof.argument: due_proof.name} if due_proof else {}),
            ),
            delete=node_scripts.call_to_give_back(
                user,
                "restore-manifest",
                change.desired,
                before,
                by_edits=node.edits_back,
                **(identity if node.names_entry else {}),
                written=desired,
                restore=sha256(before),
                arguments=node.arguments_before_sha256,
                endpoint=node.endpoint,
                policy=node.policy.path,
                **({"webhook": node.webhook.path} if node.webhook else {}),
                timeout=timeout,
                **dict(node.removal),
            ),
            stdin=change.desired,
            ignore_changes=("create", "update") if node.in_sync and due_proof is None else (),
            former=scope.former(node.former, "-manifest"),
            secret=change.carries_credentials,
            hooks=self.change.hooks,
        )
        restarts = node.restart.sentences if node.needs_restart else ()
        reasons = (RECORD_ONLY,) if node.is_record_only else node.reasons
        proof = (due_proof.reason,) if due_proof else ()
        explain(name, change, (*reasons, *proof, *restarts), self.command)
        warn(name, node.warnings, self.command)
        in_place = {
            "manifestSha256": desired,
            "policySha256": policy,
            "policyFile": node.policy.path,
            "logFile": settings.log_file or "",
        }
        state = self.command.stdout.apply(lambda printed: {"host": node.node.host, **_state(printed, in_place)})
        self.state = pulumi.Output.secret(state) if scope.hides_nodes or scope.hides_texts else state
        self.register_outputs({"state": self.state})


def _webhook(node: NodePlan) -> dict[str, str]:
    """What the node has to know of the webhook's kubeconfig to put it in place with the manifest."""
    if node.webhook is None:
        return {}
    change = node.webhook
    return {"webhook": change.path, "webhook_live": change.token, "webhook_desired": change.desired_sha256}


def _state(printed: str | None, in_place: Mapping[str, str]) -> dict[str, str | float | bool]:
    """What the stack knows of the node. None was printed where an update has other targets and the node is new."""
    if printed is None:
        return {"state": "not a target of the update"}
    result = parse_result(printed)
    return {**in_place, **(result.outputs() if result else {})}
