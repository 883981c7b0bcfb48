"""The kubeadm configuration of the lab's cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from lab.errors import LabError
from lab.state import LabState, NodeState

CONFIG_FILE = "/etc/kubernetes-lab/kubeadm.yaml"
"""Where a node holds its kubeadm configuration; outside /etc/kubernetes, which is kubeadm's own."""

_VOLUME_PLUGINS = "/var/lib/kubelet/volume-plugins"
"""kubelet and controller manager make this folder; their default is below /usr, which a node cannot write."""

ADDONS = ("kube-proxy", "coredns")
"""What kubeadm installs on a finished cluster. The lab has no images for them, and audit logging needs neither."""

IGNORED_PREFLIGHT = ("SystemVerification",)
"""kubeadm's check of kernel configuration and cgroup version; the lab's own preflight stands for it."""

OIDC_FLAGS = {
    "oidc-issuer-url": "https://login.example.com",
    "oidc-client-id": "kubernetes",
    "oidc-username-claim": "email",
    "oidc-groups-claim": "groups",
}
"""Hand-made API server flags as real clusters have them. Nothing has to survive more surely than these: without them
nobody but the holder of admin.conf can log in. The API server starts without reaching the issuer."""

BALANCED_FLAGS = {"shutdown-delay-duration": "10s"}
"""What an API server behind a load balancer needs. By default its socket closes as soon as it has to end, with the
connections that wait in it. Health checks notice seconds later."""

EXTRA_VOLUME = {
    "name": "login-certificates",
    "hostPath": "/etc/ssl/certs",
    "mountPath": "/etc/kubernetes-login/certs",
    "readOnly": True,
    "pathType": "Directory",
}
"""A hand-made mount, likewise."""


# Minors of Kubernetes from which on a kubeadm or kubelet knows a setting and needs no feature gate for it.
_V1BETA4_SINCE = 31
_FAIL_CGROUP_V1_SINCE = 31
_CRASH_LOOP_BACK_OFF_SINCE = 35


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a node needs to join the control plane: address, token, trusted CA, and a key. The key opens the
    certificates that ``kubeadm init phase upload-certs`` keeps in the cluster."""

    endpoint: str
    """Host and port, as ``10.197.0.10:6443``."""
    token: str
    ca_hash: str
    certificate_key: str


def read_join_command(printed: str, certificate_key: str) -> Invitation:
    """The invitation in what ``kubeadm token create --print-join-command`` prints. ``LabError`` when it is none."""
    found = re.search(r"kubeadm join (\S+) --token (\S+) --discovery-token-ca-cert-hash (\S+)", printed)
    if found is None:
        raise LabError(f"kubeadm printed no join command: {printed.strip()!r}")
    endpoint, token, ca_hash = found.groups()
    return Invitation(endpoint, token, ca_hash, certificate_key)


def join_config(state: LabState, node: NodeState, invitation: Invitation) -> str:
    """The YAML that ``kubeadm join --config`` gets on a node that is to become one more of the control plane."""
    document: dict[str, Any] = {
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "apiServerEndpoint": invitation.endpoint,
                "token": invitation.token,
                "caCertHashes": [invitation.ca_hash],
            },
        },
        "controlPlane": {
            "localAPIEndpoint": _local_endpoint(node),
            "certificateKey": invitation.certificate_key,
        },
        "nodeRegistration": _registration(node),
    }
    return yaml.safe_dump(_versioned(document, _minor(state)), sort_keys=False)


def _minor(state: LabState) -> int:
    return int(state.kubernetes.partition(".")[2])


def _versioned(document: dict[str, Any], minor: int) -> dict[str, Any]:
    """A kubeadm document, written as v1beta4 has it, in the newest version that kubeadm of 1.``minor`` reads.

    v1beta4 came with Kubernetes 1.31:
    https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/#kubeadm-k8s-io-v1beta4-migration
    """
    if minor >= _V1BETA4_SINCE:
        return {"apiVersion": "kubeadm.k8s.io/v1beta4", **document}
    older = {key: _as_v1beta3(value) for key, value in document.items() if key not in ("proxy", "dns")}
    # v1beta3 cannot leave the add-ons out of a cluster, but out of what init does. Their preflight looks
    # for images with crictl, which the lab has not, and puts IPv4 addresses in brackets, which today's Go refuses.
    skipped = {"InitConfiguration": ["preflight", "addon"], "JoinConfiguration": ["preflight"]}.get(document["kind"])
    return {"apiVersion": "kubeadm.k8s.io/v1beta3", **older, **({"skipPhases": skipped} if skipped else {})}


def _as_v1beta3(value: Any) -> Any:
    """The same with a mapping for every list of extra arguments."""
    if not isinstance(value, dict):
        return value
    return {
        key: {each["name"]: each["value"] for each in inner} if key.endswith("xtraArgs") else _as_v1beta3(inner)
        for key, inner in value.items()
    }


def _local_endpoint(node: NodeState) -> dict[str, Any]:
    return {"advertiseAddress": node.address, "bindPort": 6443}


def _registration(node: NodeState) -> dict[str, Any]:
    return {
        "name": node.name,
        "criSocket": "unix:///run/containerd/containerd.sock",
        "imagePullPolicy": "IfNotPresent",
        "ignorePreflightErrors": list(IGNORED_PREFLIGHT),
        # Two kubelets that share a cgroup root would remove each other's pods.
        "kubeletExtraArgs": [
            {"name": "cgroup-root", "value": node.cgroup},
            {"name": "node-ip", "value": node.address},
        ],
    }


def init_config(state: LabState, node: NodeState, *, certificate_key: str = "") -> str:
    """The YAML that ``kubeadm init --config`` gets on the first node.

    ``certificate_key`` is for the phase that offers the cluster's certificates to nodes that join.
    """
    flags = {**OIDC_FLAGS, **(BALANCED_FLAGS if state.balancer else {})}
    minor = _minor(state)
    documents: list[dict[str, Any]] = [
        {
            "kind": "InitConfiguration",
            "localAPIEndpoint": _local_endpoint(node),
            "nodeRegistration": _registration(node),
            **({"certificateKey": certificate_key} if certificate_key else {}),
        },
        {
            "kind": "ClusterConfiguration",
            "clusterName": "lab",
            "kubernetesVersion": state.version,
            **({"controlPlaneEndpoint": f"{state.balancer.address}:6443"} if state.balancer else {}),
            "networking": {"podSubnet": "10.244.0.0/16", "serviceSubnet": "10.96.0.0/16"},
            "apiServer": {
                "extraArgs": [{"name": name, "value": value} for name, value in flags.items()],
                "extraVolumes": [dict(EXTRA_VOLUME)],
            },
            "controllerManager": {"extraArgs": [{"name": "flex-volume-plugin-dir", "value": _VOLUME_PLUGINS}]},
            # A handshake costs a tenth of what it does with kubeadm's default, RSA; v1beta3 cannot say so.
            **({"encryptionAlgorithm": "ECDSA-P256"} if minor >= _V1BETA4_SINCE else {}),
            # kubeadm's names for ADDONS.
            "proxy": {"disabled": True},
            "dns": {"disabled": True},
        },
    ]
    return yaml.safe_dump_all([*(_versioned(each, minor) for each in documents), _kubelet(minor)], sort_keys=False)


def _kubelet(minor: int) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        **({"failCgroupV1": False} if minor >= _FAIL_CGROUP_V1_SINCE else {}),
        "failSwapOn": False,
        # The disk is shared with the machine: kubelet would delete the lab's images, which no registry gives back.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi"},
        # A server that was made to fail has no later one wait for minutes.
        **({"crashLoopBackOff": {"maxContainerRestartPeriod": "20s"}} if minor >= _CRASH_LOOP_BACK_OFF_SINCE else {}),
        "resolvConf": "/etc/resolv.conf",
        "volumePluginDir": _VOLUME_PLUGINS,
    }
