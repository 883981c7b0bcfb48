"""Where things are on a control-plane node: what kubeadm and kubelet have there, and what this project makes.

What the settings may place elsewhere (policy, log, webhook kubeconfig) has its default beside its setting. The shell in
``node/`` names the same places in ``node/common.sh``; a test holds the two to each other.
"""

from __future__ import annotations

KUBERNETES = "/etc/kubernetes"
"""kubeadm's folder."""
MANIFESTS = f"{KUBERNETES}/manifests"
"""kubelet runs every file in it as a static pod (staticPodPath)."""
API_SERVER = "kube-apiserver"
"""The name of the static pod, of its container and of its program."""
MANIFEST = f"{MANIFESTS}/{API_SERVER}.yaml"
"""The API server's static pod."""
ADMIN_KUBECONFIG = f"{KUBERNETES}/admin.conf"
"""The administrator's kubeconfig, which kubeadm writes."""
RECORDS = f"{KUBERNETES}/audit-logging"
"""What a stack keeps on the node: its scripts, the files from before it, its records."""
ARCHIVE = f"{KUBERNETES}/apiserver-manifest-archive"
"""Earlier files, which outlive the stack."""
POD_LOGS = "/var/log/pods"
"""Where kubelet keeps what containers write, unless podLogsDir says otherwise."""


def api_server_logs(pod_logs: str) -> str:
    """A shell pattern: the folders below ``pod_logs`` with what the API server's container wrote."""
    return f"{pod_logs}/kube-system_{API_SERVER}-*"
