"""Distributions and installers with their own configuration: kubespray, k3s, RKE2 and Talos.

None of them offers annotations of the API server's pod. Their processes restart by themselves when their configuration
changes, but not when only the policy's file does.
"""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import Any

import yaml

from auditlog.installers.wanted import Rendered, Wanted, as_yaml, on_machine
from auditlog.manifest.audit_flags import LOG_FLAG, MAX_AGE_FLAG, MAX_BACKUP_FLAG, MAX_SIZE_FLAG, POLICY_FLAG
from auditlog.policy.model import Policy, PolicyRule
from auditlog.policy.write import rules_text

_RESTART = "no annotation holds the policy's hash: after a change of the policy alone, restart the API server yourself"
_TALOS_LOG = "/var/log/audit/kube/kube-apiserver.log"


def kubespray(wanted: Wanted) -> Rendered:
    """Variables of the group k8s_cluster (kubespray, docs/ansible/vars.md)."""
    own = {POLICY_FLAG, LOG_FLAG, MAX_AGE_FLAG, MAX_BACKUP_FLAG, MAX_SIZE_FLAG}
    numbers = {
        "audit_log_maxage": MAX_AGE_FLAG,
        "audit_log_maxbackups": MAX_BACKUP_FLAG,
        "audit_log_maxsize": MAX_SIZE_FLAG,
    }
    others = {flag.name: flag.value for flag in wanted.flags if flag.name not in own}
    variables: dict[str, Any] = {
        "kubernetes_audit": True,
        "audit_policy_custom_rules": textwrap.dedent(
            rules_text(_whole_rule(wanted.policy, rule) for rule in wanted.policy.rules)
        )
        + "\n",
        **({"audit_log_path": wanted.log_path} if wanted.log_path else {}),
        **{name: int(value) for name, flag in numbers.items() if (value := wanted.value(flag)) is not None},
        **({"kube_kubeadm_apiserver_extra_args": others} if others else {}),
    }
    notes = (
        "kubespray writes the policy's head itself, so every rule has its omitStages and omitManagedFields",
        f"the policy is where kubespray keeps it, and not at {wanted.policy_path}",
        _RESTART,
    )
    head = "inventory/CLUSTER/group_vars/k8s_cluster/audit.yml"
    return Rendered({"audit.yml": as_yaml(variables, head=head)}, wanted.lost, notes)


def k3s(wanted: Wanted) -> Rendered:
    """/etc/rancher/k3s/config.yaml.d, and the policy. The API server is a process of the machine: no mounts."""
    config = as_yaml({"kube-apiserver-arg+": wanted.arguments()})
    files = {
        on_machine("/etc/rancher/k3s/config.yaml.d/90-audit.yaml"): config,
        on_machine(wanted.policy_path): wanted.policy_text,
    }
    return Rendered(files, wanted.lost, (_RESTART,))


def rke2(wanted: Wanted) -> Rendered:
    """/etc/rancher/rke2/config.yaml.d, and the policy, which RKE2 mounts by itself."""
    folder = wanted.log_folder
    config: dict[str, Any] = {
        POLICY_FLAG: wanted.policy_path,
        "kube-apiserver-arg+": wanted.arguments(POLICY_FLAG),
        **({"kube-apiserver-extra-mount+": [f"{folder}:{folder}"]} if folder not in (None, ".") else {}),
    }
    files = {
        on_machine("/etc/rancher/rke2/config.yaml.d/90-audit.yaml"): as_yaml(config),
        on_machine(wanted.policy_path): wanted.policy_text,
    }
    return Rendered(files, wanted.lost, (_RESTART,))


def talos(wanted: Wanted) -> Rendered:
    """A patch of the machine configuration. Talos keeps the policy itself, and mounts its own folder for the log."""
    lost = list(wanted.lost)
    if wanted.log_path not in (None, _TALOS_LOG):
        lost.append(f"the log is {_TALOS_LOG} and not {wanted.log_path}: Talos mounts no other folder for it")
    arguments = {flag.name: flag.value for flag in wanted.flags if flag.name not in (POLICY_FLAG, LOG_FLAG)}
    policy = yaml.safe_load(wanted.policy_text)
    patch = {"cluster": {"apiServer": {"auditPolicy": policy, **({"extraArgs": arguments} if arguments else {})}}}
    notes = ("Talos restarts the API server when auditPolicy changes",)
    head = "talosctl patch machineconfig --patch @talos.yaml, on each control-plane machine."
    return Rendered({"talos.yaml": as_yaml(patch, head=head)}, tuple(lost), notes)


def _whole_rule(policy: Policy, rule: PolicyRule) -> PolicyRule:
    """The rule with what the policy's head says for all of them; a rule's own word on managedFields wins."""
    stages = tuple(dict.fromkeys((*policy.omit_stages, *rule.omit_stages)))
    managed = policy.omit_managed_fields or None if rule.omit_managed_fields is None else rule.omit_managed_fields
    return replace(rule, omit_stages=stages, omit_managed_fields=managed)
