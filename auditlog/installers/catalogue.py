"""The installers that there are, by the names that people call them by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from auditlog.installers.distributions import k3s, kubespray, rke2, talos
from auditlog.installers.kubeadm import cluster_api, kind, kubeadm
from auditlog.installers.wanted import Rendered, Wanted

INSTALLERS: Mapping[str, Callable[[Wanted], Rendered]] = MappingProxyType(
    {
        "kubeadm": kubeadm,
        "cluster-api": cluster_api,
        "kubespray": kubespray,
        "k3s": k3s,
        "rke2": rke2,
        "talos": talos,
        "kind": kind,
    }
)
