"""Makes nodes members of the control plane: ``kubeadm init`` on the first, ``kubeadm join`` on the others."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from lab import access, images, kubeadm, node
from lab.errors import LabError
from lab.kubeadm import Invitation
from lab.paths import Paths
from lab.process import run
from lab.state import LabState, NodeState, save

_CONTAINERD_SECONDS = 30


def ensure(paths: Paths, state: LabState, before_kubeadm: Callable[[LabState], None] | None = None) -> LabState:
    """Start every node, and have kubeadm make a member of each that is none yet, one after the other.

    While one is at it, the images of the next are loaded. ``before_kubeadm`` is called when all nodes run and the next
    one is about to become a member.
    """
    missing = [each.name for each in state.nodes if not each.initialised]
    if missing:
        references = image_references(paths, state)
        for name in missing:
            state = _prepare(paths, state, name, references)
    for each in state.nodes:
        node.start(paths, state, each)
    if not missing:
        return state
    write_archive(paths, state, references)
    with ThreadPoolExecutor(max_workers=1) as background:
        loading = {name: background.submit(load_images, paths, state.node(name)) for name in missing}
        for name in missing:
            print(f"{name}: loading the images", flush=True)
            loading[name].result()
            if before_kubeadm is not None:
                before_kubeadm(state)
            state = _make_member(paths, state, state.node(name))
    paths.images.unlink()
    return state


def _prepare(paths: Paths, state: LabState, name: str, references: list[str]) -> LabState:
    print(f"{name}: starting the node", flush=True)
    pause_image = next(reference for reference in references if "/pause:" in reference)
    if not paths.ssh_key.exists():
        node.make_key(paths.ssh_key, "lab")
    host_key = node.prepare(paths, state, state.node(name), pause_image)
    state = state.with_node(replace(state.node(name), host_key=host_key))
    save(paths.state, state)
    return state


def _make_member(paths: Paths, state: LabState, each: NodeState) -> LabState:
    host = next((other for other in state.nodes if other.initialised), None)
    command = "init" if host is None else "join"
    print(f"{each.name}: kubeadm {command}", flush=True)
    config = (
        kubeadm.init_config(state, each) if host is None else kubeadm.join_config(state, each, _invite(state, host))
    )
    _write_on_node(each, kubeadm.CONFIG_FILE, config)
    node.execute(each, ["kubeadm", command, "--config", kubeadm.CONFIG_FILE])
    if host is None:
        access.write_kubeconfigs(paths, each)
        access.grant(each)
    state = state.with_node(replace(each, initialised=True))
    save(paths.state, state)
    return state


def _invite(state: LabState, host: NodeState) -> Invitation:
    """What the next node needs to join. The cluster forgets the certificates that it offers after two hours."""
    key = node.execute(host, ["kubeadm", "certs", "certificate-key"]).stdout.strip()
    file = f"{kubeadm.CONFIG_FILE}.upload"
    _write_on_node(host, file, kubeadm.init_config(state, host, certificate_key=key))
    node.execute(host, ["kubeadm", "init", "phase", "upload-certs", "--upload-certs", "--config", file])
    node.execute(host, ["rm", file])
    printed = node.execute(host, ["kubeadm", "token", "create", "--print-join-command"]).stdout
    return kubeadm.read_join_command(printed, key)


def image_references(paths: Paths, state: LabState) -> list[str]:
    """The images that kubeadm of the lab's Kubernetes minor wants for the cluster."""
    config = paths.root / "kubeadm-images.yaml"
    config.write_text(kubeadm.init_config(state, state.nodes[0]))
    program = paths.kubernetes_bin(state.kubernetes) / "kubeadm"
    listed = run([program, "config", "images", "list", "--config", config]).stdout.split()
    config.unlink()
    # kubeadm of before v1beta4 names the add-ons' too.
    return [each for each in listed if not any(f"/{addon}:" in each for addon in kubeadm.ADDONS)]


def write_archive(paths: Paths, state: LabState, references: list[str]) -> None:
    """Write the archive of the images named by ``references``, made of the programs of the lab's Kubernetes minor."""
    programs = paths.kubernetes_bin(state.kubernetes)
    wanted = images.images_for(references, programs, paths.bin / "pause", paths.bin / "etcd")
    images.write_archive(paths.images, wanted)


def load_images(paths: Paths, each: NodeState) -> None:
    """Give the node's containerd the images of the archive. ``LabError`` when containerd does not come up."""
    offered = paths.node(each.name) / "var/lib/images.tar"
    offered.unlink(missing_ok=True)
    os.link(paths.images, offered)
    deadline = time.monotonic() + _CONTAINERD_SECONDS
    while node.execute(each, ["ctr", "version"], check=False).returncode != 0:
        if time.monotonic() > deadline:
            raise LabError(f"containerd on {each.name} does not answer: /var/log/containerd.log on the node says more")
        time.sleep(0.2)
    node.execute(each, ["ctr", "--namespace=k8s.io", "images", "import", "/var/lib/images.tar"])
    offered.unlink()


def _write_on_node(each: NodeState, path: str, text: str) -> None:
    node.execute(each, ["install", "-D", "--mode=0600", "/dev/stdin", path], stdin=text)
