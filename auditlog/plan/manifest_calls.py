"""The command lines that put a node's manifest and policy in place, and that restore what was there before.

States hold them: another order of arguments would be a diff in the preview of every stack.
"""

from __future__ import annotations

from collections.abc import Mapping

from auditlog.manifest.desired import sha256
from auditlog.nodes import node_scripts
from auditlog.plan.node_plan import NodePlan
from auditlog.settings import Settings


def apply_manifest(node: NodePlan, settings: Settings, owner: str, name: str, more: Mapping[str, str]) -> str:
    """The call that changes the node, which takes the desired manifest on standard input.

    ``name`` is the entry in ``nodes``; ``more`` are arguments about the other nodes and about a proof that is due.
    """
    change = node.manifest
    return node_scripts.apply_call(
        node.node.user,
        "apply-manifest",
        live=change.token,
        desired=sha256(change.desired),
        policy=node.policy.path,
        policy_live=node.policy.token,
        policy_desired=sha256(node.policy.desired),
        arguments=node.arguments_sha256,
        arguments_before=node.arguments_live_sha256,
        endpoint=node.endpoint,
        log=settings.log.path if settings.log else "",
        marker="yes" if node.marker_is_recorded else "no",
        restart=",".join(process.token for process in node.processes_to_end) or "no",
        quarantine="/".join(f"{stray.name}@{stray.changed}" for stray in node.quarantined) or "none",
        timeout=str(settings.health_timeout),
        owner=owner,
        entry=name,
        **({"former_owner": node.taken_over_from} if node.taken_over_from else {}),
        owned=node.owned.record(),
        **({"edits_back": "yes"} if node.edits_back else {}),
        **_webhook(node),
        **(node.annotations.arguments if node.annotations else {}),
        **dict(node.transaction),
        **more,
    )


def restore_manifest(node: NodePlan, settings: Settings, owner: str, name: str) -> str:
    """The call for ``delete``: it restores the manifest from before audit logging and needs neither this program nor
    the node's memory."""
    change = node.manifest
    before = change.before or ""
    return node_scripts.call_to_give_back(
        node.node.user,
        "restore-manifest",
        change.desired,
        before,
        by_edits=node.edits_back,
        **({"owner": owner, "entry": name} if node.names_entry else {}),
        written=sha256(change.desired),
        restore=sha256(before),
        arguments=node.arguments_before_sha256,
        endpoint=node.endpoint,
        policy=node.policy.path,
        **({"webhook": node.webhook.path} if node.webhook else {}),
        timeout=str(settings.health_timeout),
        **dict(node.removal),
    )


def _webhook(node: NodePlan) -> dict[str, str]:
    """What puts the webhook's kubeconfig in place with the manifest."""
    if node.webhook is None:
        return {}
    change = node.webhook
    return {"webhook": change.path, "webhook_live": change.token, "webhook_desired": change.desired_sha256}
