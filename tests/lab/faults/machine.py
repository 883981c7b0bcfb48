"""Faults of the node itself: processes that are killed, services that stop, power that is cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from lab import cgroups
from lab import node as lab_node
from lab.api import Lab, Node
from lab.errors import LabError

# The brackets keep the pattern from matching the shell that is given it.
SSH_SESSIONS = "[s]shd: ops"
WORKER = "[n]ode.sh work"
GUARD = "[n]ode.sh guard"
_SOUND = (
    "! mountpoint -q /etc/kubernetes && systemctl is-active -q kubelet &&"
    " ! ps -o stat= -C etcd | grep -q T && ! pgrep -f '[n]ode.sh'"
)


def kill(node: Node, pattern: str) -> None:
    """Ends every process of the node whose command line matches, without warning. There has to be one."""
    killed = node.run(f"pkill -KILL -f '{pattern}'", check=False)
    assert killed.returncode == 0, f"nothing runs on {node.name} as {pattern}"


def cut_power(node: Node) -> None:
    """Ends every process of the node at once: containerd, kubelet, every container, and what is under way.

    What was written stays, synced or not: the machine itself goes on.
    """
    cgroups.end_all(node.state.cgroup)


def power_on(lab: Lab) -> None:
    """Starts what has no power and waits until the API server is ready: kubelet has only the files on the disk."""
    start(lab)
    lab.wait_ready()


def start(lab: Lab) -> None:
    """Starts what has no power."""
    for node in lab.nodes:
        lab_node.start(lab.paths, lab.state, node.state)


def make_sound(lab: Lab) -> None:
    """Gives every node its power, services and file systems back where a test that failed took them."""
    for node in lab.nodes:
        try:
            sound = node.run(_SOUND, check=False).returncode == 0
        except LabError:
            sound = False
        if not sound:
            cut_power(node)
    start(lab)


@contextmanager
def for_a_while(node: Node, do: str, undo: str, *, check: bool = True) -> Iterator[None]:
    """One command before, the other after; ``check`` says whether the latter has to succeed."""
    node.run(do)
    try:
        yield
    finally:
        node.run(undo, check=check)


def with_systemd(node: Node) -> AbstractContextManager[None]:
    """The node looks like one that systemd runs, until its next boot; ``lab/files/boot`` then does as systemd would."""
    return for_a_while(node, "mkdir -p /run/systemd/system", "rmdir /run/systemd/system", check=False)


def stopped_kubelet(node: Node) -> AbstractContextManager[None]:
    """kubelet does not run."""
    return for_a_while(node, "systemctl stop kubelet", "systemctl start kubelet")


def frozen_etcd(node: Node) -> AbstractContextManager[None]:
    """etcd is there and answers nothing, as on a disk that hangs."""
    return for_a_while(node, "pkill -STOP -x etcd", "pkill -CONT -x etcd", check=False)


@contextmanager
def missing_image(node: Node, name: str) -> Iterator[str]:
    """containerd does not have the image ``registry.k8s.io/NAME``, and no registry answers; gives its reference."""
    ctr = "ctr --namespace k8s.io images"
    reference = node.run(f"{ctr} ls -q name~='^registry.k8s.io/{name}:'").stdout.strip()
    assert reference.count("\n") == 0, reference
    node.run(f"{ctr} tag --force {reference} kept.example/{name}:1 && {ctr} rm --sync {reference}")
    try:
        yield reference
    finally:
        node.run(f"{ctr} tag kept.example/{name}:1 {reference} && {ctr} rm kept.example/{name}:1")
