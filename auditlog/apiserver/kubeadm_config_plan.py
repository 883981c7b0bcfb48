"""What happens to ClusterConfiguration in kube-system/kubeadm-config, and why."""

from __future__ import annotations

from collections.abc import Mapping

from auditlog.apiserver import kubeadm_config
from auditlog.apiserver.desired import AuditConfiguration
from auditlog.apiserver.facts import Facts
from auditlog.apiserver.file_change import FileChange, given_back
from auditlog.apiserver.kubeadm_config import KubeadmConfigError
from auditlog.apiserver.node_plan import PlanError


def plan_kubeadm_config(configuration: AuditConfiguration, facts: Mapping[str, Facts]) -> FileChange:
    """From what any node could read: the others may be able to while one API server is away.

    What a node kept from the beginning of an unfinished change is taken when no API server answers: the plan must be
    made to bring one back. The text is compared once more when it is written.
    """
    readable = [each.kubeadm_config for each in facts.values() if each.kubeadm_config is not None]
    found = min(readable, key=lambda config: config.stale, default=None)
    if found is None:
        reasons = [f"{name}: {each.kubeadm_config_error or 'no answer'}" for name, each in facts.items()]
        raise PlanError(["the ConfigMap kube-system/kubeadm-config cannot be read; " + "; ".join(reasons)])
    live = found.text
    try:
        desired = kubeadm_config.edit(live, configuration)
        earlier = next((each.before_kubeadm_config for each in facts.values() if each.before_kubeadm_config), None)
        if earlier is None:
            before = live
        else:
            recorded = earlier.text
            before = given_back(kubeadm_config.revert(desired, recorded, configuration), recorded)
    except KubeadmConfigError as error:
        raise PlanError([f"ClusterConfiguration in kube-system/kubeadm-config {error}"]) from error
    return FileChange("kube-system/kubeadm-config", live, desired, before, found.token)


def kubeadm_config_reasons(change: FileChange) -> tuple[str, ...]:
    if change.in_sync:
        return ()
    live, desired = kubeadm_config.extra_args(change.live or ""), kubeadm_config.extra_args(change.desired)
    lacking = [name for name, value in desired.items() if live.get(name) != value]
    names = ", ".join(lacking) if lacking else "a volume"
    return (f"kubeadm-config lacks {names}: the next kubeadm upgrade or join would drop it",)
