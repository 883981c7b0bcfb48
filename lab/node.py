"""One node: its own folder tree, its namespaces and what runs in them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import cgroups, host, network
from lab.errors import LabError
from lab.namespaces import holder, inside, launch
from lab.paths import NODE_FILES, Paths
from lab.process import run
from lab.state import LabState, NodeState

OPERATOR = "ops"
_OPERATOR_ID = 1500
_PROGRAMS = ("kubelet", "kubeadm", "kubectl")
_SSHD = """\
ListenAddress {address}
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PrintMotd no
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
"""
_CONTAINERD = """\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
oom_score = 0

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Without CAP_SYS_RESOURCE a container cannot be given a lower score than its parent, and runc fails.
  restrict_oom_score_adj = true
  # A profile would be loaded into the machine's kernel and stay there.
  disable_apparmor = true

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{cni}"
  conf_dir = "/etc/cni/net.d"
"""
_CNI = """\
{{
  "cniVersion": "0.4.0",
  "name": "lab",
  "plugins": [
    {{
      "type": "ptp",
      "ipam": {{
        "type": "host-local",
        "ranges": [[{{"subnet": "{subnet}"}}]],
        "routes": [{{"dst": "0.0.0.0/0"}}]
      }}
    }}
  ]
}}
"""


@dataclass(frozen=True, slots=True)
class Completed:
    """What a script on a node returned."""

    stdout: str
    stderr: str
    returncode: int


def prepare(paths: Paths, state: LabState, node: NodeState, pause_image: str) -> str:
    """Make the node's folders from nothing. Returns sshd's public host key in authorized_keys format.

    The node gets a copy of the machine's /etc without its SSH host keys, passwords and Kubernetes files. It gets
    separate folders for everything else that it writes to. The machine's other files it sees read-only.
    """
    folder = paths.node(node.name)
    for own in ("etc", "var", "root", "home", "opt", "srv", "usr/local/bin", "usr/local/sbin"):
        (folder / own).mkdir(parents=True, exist_ok=True)
    (folder / "root").chmod(0o700)
    _make_etc(folder / "etc", state, node, pause_image)
    _make_var(folder / "var")
    _copy_programs(paths, state, folder / "usr/local/bin")
    authorized = paths.ssh_key.with_suffix(".pub").read_text()
    _authorize(folder / "root", authorized, 0)
    _authorize(folder / "home" / OPERATOR, authorized, _OPERATOR_ID)
    return _make_host_key(folder / "etc/ssh/ssh_host_ed25519_key", node.name)


def _make_etc(etc: Path, state: LabState, node: NodeState, pause_image: str) -> None:
    run(["cp", "--archive", "/etc/.", etc])
    for unwanted in ("kubernetes", "cni", "containerd", "resolv.conf", "hostname", "hosts"):
        _remove(etc / unwanted)
    for key in (etc / "ssh").glob("ssh_host_*"):
        key.unlink()
    write_hosts(etc / "hosts", state)
    _write(etc / "hostname", f"{node.name}\n")
    # Nobody answers there, and says so at once; the machine's own server would cost ten seconds for each look-up.
    _write(etc / "resolv.conf", "nameserver 127.0.0.1\n")
    _write(etc / "ssh/sshd_config", _SSHD.format(address=node.address))
    _write(etc / "containerd/config.toml", _CONTAINERD.format(pause=pause_image, cni=host.CNI_PLUGINS))
    _write(etc / "cni/net.d/10-lab.conflist", _CNI.format(subnet=node.pod_subnet))
    _add_operator(etc)


def write_hosts(file: Path, state: LabState) -> None:
    """Write a node's /etc/hosts with every node of the lab."""
    names = "".join(f"{each.address} {each.name}\n" for each in state.nodes)
    _write(file, f"127.0.0.1 localhost\n{names}")


def _add_operator(etc: Path) -> None:
    """The operator exists on the node only; no account of the machine keeps its password there."""
    users = _without(etc / "passwd", OPERATOR)
    users.append(f"{OPERATOR}:x:{_OPERATOR_ID}:{_OPERATOR_ID}:Operator:/home/{OPERATOR}:/bin/bash")
    groups = _without(etc / "group", OPERATOR)
    groups.append(f"{OPERATOR}:x:{_OPERATOR_ID}:")
    _write(etc / "passwd", "\n".join(users) + "\n")
    _write(etc / "group", "\n".join(groups) + "\n")
    # "*" is no password at all; "!" would be a locked account, which sshd refuses.
    shadow = "".join(f"{line.split(':')[0]}:*:19700:0:99999:7:::\n" for line in users)
    _write(etc / "shadow", shadow, 0o640)
    for backup in ("passwd-", "group-", "shadow-", "gshadow", "gshadow-"):
        _remove(etc / backup)
    _write(etc / "sudoers.d" / OPERATOR, f"{OPERATOR} ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440)


def _without(file: Path, name: str) -> list[str]:
    return [line for line in file.read_text().splitlines() if line and not line.startswith(f"{name}:")]


def _make_var(var: Path) -> None:
    for own in ("lib", "log", "cache", "spool", "lib/containerd", "lib/kubelet", "lib/sudo"):
        (var / own).mkdir(exist_ok=True)
    (var / "tmp").mkdir(exist_ok=True)
    (var / "tmp").chmod(0o1777)
    for name, target in (("run", "/run"), ("lock", "/run/lock")):
        if not (var / name).is_symlink():
            (var / name).symlink_to(target)


def _copy_programs(paths: Paths, state: LabState, folder: Path) -> None:
    kubernetes = paths.kubernetes_bin(state.kubernetes)
    for source in (*(kubernetes / name for name in _PROGRAMS), paths.bin / "pause", *NODE_FILES.iterdir()):
        target = folder / source.name
        target.unlink(missing_ok=True)
        # A copy, since a node may replace a program (an upgrade does) and the built one has to stay as it is.
        shutil.copy(source, target)


def _authorize(home: Path, authorized: str, owner: int) -> None:
    ssh = home / ".ssh"
    ssh.mkdir(parents=True, exist_ok=True)
    ssh.chmod(0o700)
    _write(ssh / "authorized_keys", authorized, 0o600)
    for path in (home, ssh, ssh / "authorized_keys"):
        os.chown(path, owner, owner)


def _make_host_key(key: Path, name: str) -> str:
    if not key.exists():
        make_key(key, name)
    kind, blob, *_ = key.with_suffix(".pub").read_text().split()
    return f"{kind} {blob}"


def make_key(key: Path, comment: str) -> None:
    """Make an ed25519 key pair without a pass phrase."""
    key.parent.mkdir(parents=True, exist_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", key])


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(path)
    path.write_text(text)
    path.chmod(mode)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def start(paths: Paths, state: LabState, node: NodeState) -> None:
    """Start the node unless it runs, and connect it."""
    folder = paths.node(node.name)
    boot: list[str | Path] = [folder / "usr/local/bin/boot", folder, node.name, node.address]
    options = ("--mount", "--uts", "--propagation", "slave")
    pid = holder(node) or launch(node, options, boot, folder / "var/log/boot.log")
    network.ensure_link(state, node, pid)


def execute(
    node: NodeState, command: Sequence[str], *, stdin: str = "", check: bool = True, user: str = "root"
) -> Completed:
    """Run a program on the node by entering its namespaces (not over SSH). ``LabError`` when the node is down."""
    pid = holder(node)
    if pid is None:
        raise LabError(f"node {node.name} is not running: python -m lab up")
    done = run([*inside(pid, user), *command], stdin=stdin, check=check)
    return Completed(done.stdout, done.stderr, done.returncode)


def remove(paths: Paths, node: NodeState) -> None:
    """End every process of the node, with them its namespaces and mounts, then its link and folders."""
    cgroups.end_all(node.cgroup)
    network.remove_link(node)
    folder = paths.node(node.name)
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if Path(line.split()[4]).is_relative_to(folder):
            raise LabError(f"{line.split()[4]} is mounted on the machine itself: unmount it first")
    if folder.exists():
        shutil.rmtree(folder)
