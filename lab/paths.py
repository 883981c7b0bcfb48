"""Where the lab keeps its files: everything lies below one folder, ``.lab`` of the repository or ``$LAB_ROOT``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
MODULES = REPOSITORY / "lab" / "go"
NODE_FILES = REPOSITORY / "lab" / "files"


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders and files of one lab. Two labs with different roots live side by side on one machine."""

    root: Path
    bin: Path
    """Built tools. Shared by all labs of one repository, since building them takes minutes."""

    @classmethod
    def of(cls, root: Path | None = None) -> Paths:
        """The paths of the lab at ``root``, by default ``$LAB_ROOT``, else ``.lab`` of the repository."""
        home = REPOSITORY / ".lab"
        chosen = root or Path(os.environ.get("LAB_ROOT") or home)
        return cls(root=chosen.resolve(), bin=home / "bin")

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def nodes(self) -> Path:
        return self.root / "nodes"

    @property
    def balancer(self) -> Path:
        return self.root / "balancer"

    @property
    def observability(self) -> Path:
        """What Loki and Prometheus write."""
        return self.root / "observability"

    @property
    def observability_state(self) -> Path:
        return self.observability / "state.json"

    @property
    def images(self) -> Path:
        """The archive of the cluster's images, while nodes are being made."""
        return self.nodes / "images.tar"

    @property
    def ssh_key(self) -> Path:
        return self.root / "ssh" / "id_ed25519"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def users(self) -> Path:
        return self.root / "users"

    @property
    def stacks(self) -> Path:
        """A folder for each Pulumi stack on the lab, with its configuration."""
        return self.root / "stacks"

    @property
    def snapshots(self) -> Path:
        return self.root / "snapshots"

    @property
    def pulumi_home(self) -> Path:
        return self.root / "pulumi-home"

    @property
    def pulumi_state(self) -> Path:
        return self.root / "pulumi-state"

    def user_kubeconfig(self, user: str) -> Path:
        """The kubeconfig of ``user``: the first part of the user's name, as in ``alice`` of alice@example.com."""
        return self.users / f"{user}.kubeconfig"

    def kubernetes_bin(self, minor: str) -> Path:
        """The tools of one Kubernetes minor, as ``1.36``."""
        return self.bin / f"kubernetes-{minor}"

    def node(self, name: str) -> Path:
        return self.nodes / name

    def snapshot(self, name: str) -> Path:
        """What ``kubeadm init`` or ``join`` wrote on the node, kept for ``reset``."""
        return self.snapshots / name
