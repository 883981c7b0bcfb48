"""Nodes in the states that a plan can find them in."""

from __future__ import annotations

import dataclasses

from auditlog.manifest import kubeadm_config, manifest, manifest_edit
from auditlog.manifest.desired import audit_configuration, sha256
from auditlog.nodes.fact_types import KubeadmConfig, Process, RemoteFile
from auditlog.nodes.facts import Facts
from auditlog.policy.presets import preset_text
from auditlog.settings import Host, PolicySettings, Settings
from tests.unit.manifest.kubeadm_files import CLUSTER_CONFIGURATION, MANIFEST

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIDhYqlT5mDLsE4dU0W8rWkrIjNnR8bqGzJq8mXvT3lZ"
OWNER = "kubernetes-audit/test"
POLICY = preset_text("low-write")


def settings(*names: str) -> Settings:
    """Settings for nodes with these names, the preset of the single-node runbook."""
    nodes = tuple(Host(name, f"{name}.example.com", HOST_KEY, user="ops") for name in names or ("cp1",))
    return Settings("test", nodes, policy=PolicySettings("low-write"))


def remote(text: str, modified: int = 1000) -> RemoteFile:
    return RemoteFile(text, changed=modified, modified=modified, mode="600")


def untouched() -> Facts:
    """A control-plane node as kubeadm left it."""
    return Facts(
        hostname="cp1",
        manifest=remote(MANIFEST),
        policy=None,
        before_manifest=None,
        before_policy=None,
        before_kubeadm_config=None,
        owner=None,
        scripts_sha256=None,
        staged_policy_sha256=None,
        unfinished_change=False,
        stray_manifests=(),
        processes=(Process(1, 1100, manifest.arguments(MANIFEST)),),
        log_free_bytes=50_000_000_000,
        kubeadm_config=KubeadmConfig(CLUSTER_CONFIGURATION, "7"),
        kubeadm_config_error=None,
        missing_tools=(),
    )


def applied(policy: str = POLICY) -> Facts:
    """The same node after ``up`` with this policy."""
    wanted = settings()
    configuration = audit_configuration(wanted.policy, wanted.log)
    edited = manifest_edit.edit(MANIFEST, configuration, sha256(policy))
    return dataclasses.replace(
        untouched(),
        manifest=remote(edited, 2000),
        policy=remote(policy, 2000),
        before_manifest=remote(MANIFEST),
        before_kubeadm_config=remote(CLUSTER_CONFIGURATION),
        owner=OWNER,
        scripts_sha256="0" * 64,
        staged_policy_sha256=sha256(policy),
        processes=(Process(2, 2010, manifest.arguments(edited)),),
        kubeadm_config=KubeadmConfig(kubeadm_config.edit(CLUSTER_CONFIGURATION, configuration), "8"),
    )
