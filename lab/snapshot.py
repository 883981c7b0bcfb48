"""Restores a node to the state that kubeadm left, so that tests start from a state that is known."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab import node
from lab.errors import LabError
from lab.paths import Paths
from lab.state import NodeState

_KUBEADM_CONFIG = ("configmap", "kubeadm-config", "--namespace=kube-system")
_MARKER = "kubeadm-config.json"
_API_SERVER = "kube-apiserver.yaml"
_RESTART_SECONDS = 300
# kubelet takes this long to see that a manifest has gone, and that the pod's process has.
_NOTICE_SECONDS = 2
_FORGET_SECONDS = 1.5
# What audit logging leaves on a node, below the node's own root; shell patterns.
_LEFTOVERS = (
    "etc/kubernetes/audit*",
    "etc/kubernetes/apiserver-manifest-archive",
    "var/log/kubernetes/audit*",
    "var/lib/kubernetes-audit*",
)


def keep(paths: Paths, nodes: Sequence[NodeState]) -> None:
    """Keep each node's manifests and the cluster's kubeadm-config as they are now, unless they are kept already.

    A node that joined a cluster whose kubeadm-config had changed is not kept: kubeadm made its manifests from that.
    """
    for each in nodes:
        marker = paths.snapshot(each.name) / _MARKER
        if marker.exists():
            continue
        config = json.dumps(_kubeadm_config(each))
        first = paths.snapshot(nodes[0].name) / _MARKER
        if first.exists() and first.read_text() != config:
            continue
        kept = marker.parent / "manifests"
        kept.mkdir(parents=True, exist_ok=True)
        for manifest in _manifests(paths, each).iterdir():
            shutil.copy2(manifest, kept / manifest.name)
        # Written last: it says that the copy is whole.
        marker.write_text(config)


def restore(paths: Paths, each: NodeState) -> bool:
    """Put manifests and kubeadm-config back as kept and remove what audit logging left.

    Waits until the API server is live with the kept manifest. Gives whether anything had to change.
    """
    kept = paths.snapshot(each.name)
    if not (kept / _MARKER).exists():
        raise LabError(f"nothing is kept of {each.name}, which joined a changed cluster: python -m lab down, then up")
    manifests = _manifests(paths, each)
    if not _same(kept / "manifests" / _API_SERVER, manifests / _API_SERVER):
        _stop_api_server(each, manifests)
    changed = _restore_manifests(kept / "manifests", manifests)
    _await_live(each)
    config_changed = _restore_kubeadm_config(each, json.loads((kept / _MARKER).read_text()))
    removed = _remove_leftovers(paths.node(each.name))
    return changed or config_changed or removed


def _manifests(paths: Paths, each: NodeState) -> Path:
    return paths.node(each.name) / "etc/kubernetes/manifests"


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.read_bytes() == other.read_bytes()


def _restore_manifests(kept: Path, live: Path) -> bool:
    """Make ``live`` hold exactly the files of ``kept``; gives whether anything changed."""
    changed = False
    for stray in live.iterdir():
        if not (kept / stray.name).exists():
            stray.unlink()
            changed = True
    for source in kept.iterdir():
        target = live / source.name
        if not _same(source, target):
            # kubelet reads a file that is still being written; only a rename within the file system is safe.
            staged = live.parent / f".{source.name}.kept"
            shutil.copy2(source, staged)
            staged.replace(target)
            changed = True
    return changed


def _stop_api_server(each: NodeState, manifests: Path) -> None:
    """End the API server without its drain.

    If a manifest is replaced under a running pod, kubelet tries it again about ten seconds after the old process has
    gone. A manifest that comes back after the pod has been forgotten starts at once.
    """
    (manifests / _API_SERVER).unlink(missing_ok=True)
    time.sleep(_NOTICE_SECONDS)
    running = _api_servers(each)
    if running:
        node.execute(each, ["kill", "-KILL", *map(str, running)], check=False)
        time.sleep(_FORGET_SECONDS)


def _await_live(each: NodeState) -> None:
    deadline = time.monotonic() + _RESTART_SECONDS
    while not _is_live(each):
        if time.monotonic() > deadline:
            raise LabError(f"the API server of {each.name} does not come back with the kept manifest")
        time.sleep(0.2)


def _api_servers(each: NodeState) -> set[int]:
    listed = node.execute(each, ["pgrep", "-x", "kube-apiserver"], check=False).stdout
    return {int(word) for word in listed.split()}


def _kubectl(each: NodeState) -> list[str]:
    """kubectl for the node's own API server, where admin.conf leads to the load balancer."""
    return ["kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", f"--server=https://{each.address}:6443"]


def _is_live(each: NodeState) -> bool:
    return node.execute(each, [*_kubectl(each), "get", "--raw", "/livez"], check=False).stdout == "ok"


def _kubeadm_config(each: NodeState) -> dict[str, str]:
    command = [*_kubectl(each), "get", *_KUBEADM_CONFIG, "-o", "json"]
    found: dict[str, Any] = json.loads(node.execute(each, command).stdout)
    data: dict[str, str] = found["data"]
    return data


def _restore_kubeadm_config(each: NodeState, data: dict[str, str]) -> bool:
    if _kubeadm_config(each) == data:
        return False
    wanted = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kubeadm-config", "namespace": "kube-system"},
        "data": data,
    }
    # The manager and operation that kubeadm itself leaves, so that the ownership of the key is restored too.
    replace = [*_kubectl(each), "replace", "--field-manager=kubeadm", "-f", "-"]
    node.execute(each, replace, stdin=json.dumps(wanted))
    return True


def _remove_leftovers(root: Path) -> bool:
    found = [path for pattern in _LEFTOVERS for path in root.glob(pattern)]
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return bool(found)
