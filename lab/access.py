"""Who may use the lab: the administrator's kubeconfig and one person's, with the rights of an application developer."""

from __future__ import annotations

import yaml

from lab import kubeadm, node
from lab.paths import Paths
from lab.state import LabState, NodeState

ADMIN = "admin"
PERSON = "alice"
PERSON_NAME = "alice@example.com"
PERSON_GROUP = "developers"


def write_kubeconfigs(paths: Paths, first: NodeState) -> None:
    """Fetch admin.conf, and have kubeadm sign a client certificate for the person with the cluster's own CA."""
    _write(paths, ADMIN, node.execute(first, ["cat", "/etc/kubernetes/admin.conf"]).stdout)
    command = ["kubeadm", "kubeconfig", "user", "--config", kubeadm.CONFIG_FILE]
    command += ["--client-name", PERSON_NAME, "--org", PERSON_GROUP]
    _write(paths, PERSON, node.execute(first, command).stdout)


def _write(paths: Paths, user: str, text: str) -> None:
    path = paths.kubeconfig if user == ADMIN else paths.user_kubeconfig(user)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


def grant(first: NodeState) -> None:
    """Let the person edit the namespace ``default``."""
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"{PERSON}-edit", "namespace": "default"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": PERSON_NAME}],
    }
    command = ["kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "apply", "-f", "-"]
    node.execute(first, command, stdin=yaml.safe_dump(binding))


def ssh_command(paths: Paths, state: LabState, name: str, user: str = node.OPERATOR) -> list[str]:
    """The ssh command words for a node, with its host key pinned and nothing read from or kept in the user's home."""
    target = state.node(name)
    known = paths.ssh_key.parent / f"known_hosts-{name}"
    known.write_text(f"{target.address} {target.host_key}\n")
    options = ["BatchMode=yes", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", f"UserKnownHostsFile={known}"]
    words = ["ssh", "-F", "none", "-i", str(paths.ssh_key)]
    for option in options:
        words += ["-o", option]
    return [*words, f"{user}@{target.address}"]
