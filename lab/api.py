"""The running lab as tests and the demonstration use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab import access, cluster, node, snapshot, upgrade
from lab.errors import LabError
from lab.lock import exclusive
from lab.node import Completed
from lab.paths import Paths
from lab.state import LabState, NodeState, load


@dataclass(frozen=True, slots=True)
class Node:
    """One running node."""

    paths: Paths
    state: NodeState

    @property
    def name(self) -> str:
        return self.state.name

    @property
    def address(self) -> str:
        return self.state.address

    @property
    def host_key(self) -> str:
        return self.state.host_key

    def run(self, script: str, *, check: bool = True, user: str = "root") -> Completed:
        """Run a POSIX shell script on the node as ``root`` or ``ops``, past SSH. ``LabError`` when it fails."""
        return node.execute(self.state, ["sh", "-c", script], check=check, user=user)

    def sha256(self, path: str) -> str:
        """The hash of a file on the node, as its own ``sha256sum`` prints it."""
        return node.execute(self.state, ["sha256sum", path]).stdout.split()[0]

    def ssh(self, user: str = node.OPERATOR) -> list[str]:
        """The command words that log in to the node by SSH with its host key pinned."""
        lab = Lab.load(self.paths)
        return access.ssh_command(self.paths, lab.state, self.name, user)


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab that is up."""

    paths: Paths
    state: LabState

    @classmethod
    def load(cls, paths: Paths | None = None) -> Lab:
        """The lab of ``paths`` (by default ``$LAB_ROOT`` or ``.lab``). ``LabError`` when there is none."""
        where = paths or Paths.of()
        state = load(where.state)
        if state is None:
            raise LabError("there is no lab: python -m lab up")
        return cls(where, state)

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(Node(self.paths, each) for each in self.state.nodes)

    def node(self, name: str) -> Node:
        return Node(self.paths, self.state.node(name))

    def kubectl(self, *arguments: str, as_user: str = access.ADMIN, check: bool = True) -> str:
        """Run kubectl on the machine as ``admin`` or ``alice``; gives its output. ``LabError`` when it fails."""
        return cluster.kubectl(self.paths, self.state, *arguments, user=as_user, check=check)

    def wait_ready(self) -> None:
        """Wait until the API server is live and ready and every node is Ready."""
        cluster.wait_ready(self.paths, self.state)

    def join(self, before_kubeadm: Callable[[LabState], None] | None = None) -> Lab:
        """The lab with one more control-plane node, added by ``kubeadm join``. Requires a load balancer.

        ``before_kubeadm`` is called when the new machine runs and is no member of the control plane yet.
        """
        with exclusive(self.paths.lock, "another command"):
            return Lab(self.paths, cluster.join(self.paths, before_kubeadm))

    def offer(self, minor: str) -> str:
        """Give the nodes what an upgrade to ``minor`` takes, its kubeadm and images; gives the version to go to."""
        with exclusive(self.paths.lock, "another command"):
            return upgrade.offer(self.paths, self.state, minor)

    def reset(self) -> bool:
        """Restore on every node the state that kubeadm left. Returns whether anything had to change."""
        with exclusive(self.paths.lock, "another command"):
            changed = [snapshot.restore(self.paths, each) for each in self.state.nodes]
        self.wait_ready()
        return any(changed)
