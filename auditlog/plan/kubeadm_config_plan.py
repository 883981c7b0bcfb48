"""What happens to ClusterConfiguration in kube-system/kubeadm-config, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditlog.manifest import kubeadm_config
from auditlog.manifest.desired import AuditConfiguration, sha256
from auditlog.manifest.kubeadm_config import KubeadmConfigError
from auditlog.manifest.ownership import Owned, OwnershipError, owned_by, recorded
from auditlog.node_paths import RECORDS
from auditlog.nodes.facts import Facts
from auditlog.plan.file_change import FileChange, given_back
from auditlog.plan.manifest_plan import admission_set_since
from auditlog.plan.plan_error import PlanError


@dataclass(frozen=True, slots=True)
class KubeadmConfigPlan:
    """The edit of the text, what of the new text is the stack's own, and why; no reason where nothing is to be done.

    ``is_record_only``: the text is right, somebody else wrote it, and only the stack's record of it changes.
    """

    change: FileChange
    owned: Owned
    reasons: tuple[str, ...]
    is_record_only: bool


def plan_kubeadm_config(configuration: AuditConfiguration, facts: Mapping[str, Facts]) -> KubeadmConfigPlan:
    """From what any node could read: the others may be able to while one API server is away. Raises PlanError.

    When no API server answers, what a node kept from the beginning of an unfinished change counts. Without it no plan
    could bring one back. The text is compared once more when it is written.
    """
    readable = [each.kubeadm_config for each in facts.values() if each.kubeadm_config is not None]
    found = min(readable, key=lambda config: config.stale, default=None)
    if found is None:
        reasons = [f"{name}: {each.kubeadm_config_error or 'no answer'}" for name, each in facts.items()]
        raise PlanError(["the ConfigMap kube-system/kubeadm-config cannot be read; " + "; ".join(reasons)])
    live = found.text
    keeper = next((each for each in facts.values() if each.before_kubeadm_config), None)
    before = keeper.before_kubeadm_config.text if keeper and keeper.before_kubeadm_config else live
    set_since = admission_set_since(configuration, keeper) if keeper else None
    try:
        # Only where kubeadm-config has a volume for it: a flag without one would keep the next upgrade from starting.
        if set_since is not None and kubeadm_config.sees(live, set_since.flags[0].value):
            before = kubeadm_config.edit(before, set_since)
        owned = owned_by(configuration, kubeadm_config.present(before))
        retired = owned_kubeadm_config(keeper, live).beyond(owned) if keeper else Owned()
        desired = kubeadm_config.edit(kubeadm_config.retire(live, before, retired), configuration)
        if keeper is not None:
            before = given_back(kubeadm_config.revert(desired, before, owned), before)
    except KubeadmConfigError as error:
        raise PlanError([f"ClusterConfiguration in kube-system/kubeadm-config {error}"]) from error
    change = FileChange("kube-system/kubeadm-config", live, desired, before, found.token)
    written = keeper.written.kubeadm_config if keeper else None
    is_record_only = change.in_sync and written not in (None, sha256(change.desired))
    return KubeadmConfigPlan(change, owned, _reasons(change, written), is_record_only)


def owned_kubeadm_config(facts: Facts, live: str) -> Owned:
    """What of the live text is the stack's own, by the record on the node that wrote it. Raises PlanError."""
    try:
        return recorded(facts.owned_kubeadm_config, kubeadm_config.present(live))
    except OwnershipError as error:
        raise PlanError([f"{RECORDS}/owned-kubeadm-config: {error}"]) from error


def _reasons(change: FileChange, written: str | None) -> tuple[str, ...]:
    """Why ClusterConfiguration is written. ``written`` is the hash of what the stack wrote last."""
    if change.in_sync:
        return ()
    live, desired = kubeadm_config.extra_args(change.live or ""), kubeadm_config.extra_args(change.desired)
    lacking = ", ".join(name for name in desired if name not in live)
    differing = [name for name, value in desired.items() if live.get(name, value) != value]
    beyond = ", ".join(name for name in live if name not in desired)
    reasons = []
    if lacking or not (differing or beyond):
        reasons.append(f"kubeadm-config lacks {lacking or 'a volume'}: the next kubeadm upgrade or join would drop it")
    reasons += [
        f"kubeadm-config has {name}={live[name]}, not {desired[name]}: the next kubeadm upgrade or join would write it"
        for name in differing
    ]
    if beyond:
        reasons.append(
            f"kubeadm-config has {beyond}, which the stack no longer sets: the next upgrade would bring it back"
        )
    if written is not None and written != sha256(change.live or ""):
        reasons.append("kubeadm-config was changed since this stack wrote it")
    return tuple(reasons)
