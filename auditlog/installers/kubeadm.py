"""kubeadm and what wraps it: Cluster API's KubeadmControlPlane, and kind.

All three take the same ClusterConfiguration, and patch the static pod for its annotations
(https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/control-plane-flags/).
"""

from __future__ import annotations

from typing import Any

import yaml

from auditlog.installers.wanted import Rendered, Wanted, as_yaml, on_machine
from auditlog.manifest import kubeadm_config
from auditlog.manifest.desired import AuditConfiguration

PATCHES = "/etc/kubernetes/patches"
_PATCH = f"{PATCHES}/kube-apiserver+strategic.yaml"
_VERSION = "kubeadm.k8s.io/v1beta4"


def kubeadm(wanted: Wanted) -> Rendered:
    """Two files for each machine, and what ``kubeadm init`` and ``kubeadm join`` get besides your own."""
    parts = "ClusterConfiguration for init; patches for init and join. Add them to your own documents of these kinds."
    config = as_yaml(_cluster_configuration(wanted), _patched("InitConfiguration"), head=parts)
    join = as_yaml(_patched("JoinConfiguration"), head="For kubeadm join --control-plane.")
    files = {"kubeadm.yaml": config, "kubeadm-join.yaml": join}
    files |= {on_machine(path): text for path, text in _machine_files(wanted).items()}
    return Rendered(files, wanted.lost)


def cluster_api(wanted: Wanted) -> Rendered:
    """The part of a KubeadmControlPlane; Cluster API writes its files on each machine."""
    patched = {"patches": {"directory": PATCHES}}
    spec = {
        "clusterConfiguration": {"apiServer": _cluster_configuration(wanted)["apiServer"]},
        "initConfiguration": patched,
        "joinConfiguration": patched,
        "files": [
            {"path": path, "owner": "root:root", "permissions": "0600", "content": text}
            for path, text in _machine_files(wanted).items()
        ],
    }
    document = {
        "apiVersion": "controlplane.cluster.x-k8s.io/v1beta2",
        "kind": "KubeadmControlPlane",
        "metadata": {"name": "CLUSTER-control-plane"},
        "spec": {"kubeadmConfigSpec": spec},
    }
    head = "A strategic part of your KubeadmControlPlane: name, version, replicas and machineTemplate are your own."
    notes = ("a policy that changes is a new machine for each control-plane node: Cluster API rolls them out",)
    return Rendered({"kubeadm-control-plane.yaml": as_yaml(document, head=head)}, wanted.lost, notes)


def kind(wanted: Wanted) -> Rendered:
    """A kind cluster; the node's container gets its files from the folder in which kind is started."""
    files = _machine_files(wanted)
    mounts = [{"hostPath": on_machine(path), "containerPath": path, "readOnly": True} for path in files]
    patches = [as_yaml(_cluster_configuration(wanted)), as_yaml(_patched("InitConfiguration"))]
    node: dict[str, Any] = {"role": "control-plane", "extraMounts": mounts, "kubeadmConfigPatches": patches}
    document = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": [node]}
    rendered = {
        "kind.yaml": as_yaml(document, head="In the folder of this file: kind create cluster --config kind.yaml")
    }
    return Rendered({**rendered, **{on_machine(path): text for path, text in files.items()}}, wanted.lost)


def _cluster_configuration(wanted: Wanted) -> dict[str, Any]:
    head = f"apiVersion: {_VERSION}\nkind: ClusterConfiguration\n"
    edited = kubeadm_config.edit(head, AuditConfiguration(wanted.flags, wanted.mounts))
    document: dict[str, Any] = yaml.safe_load(edited)
    return document


def _patched(kind: str) -> dict[str, Any]:
    return {"apiVersion": _VERSION, "kind": kind, "patches": {"directory": PATCHES}}


def _machine_files(wanted: Wanted) -> dict[str, str]:
    patch = as_yaml({"metadata": {"annotations": dict(wanted.annotations)}})
    return {wanted.policy_path: wanted.policy_text, _PATCH: patch}
