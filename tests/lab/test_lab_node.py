"""A node of the running lab: its own users, keys and files, and nothing of it on the machine."""

from __future__ import annotations

import pwd
import re
import subprocess
from pathlib import Path

from lab import cgroups
from lab.api import Lab, Node


def ssh(words: list[str], command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*words, command], capture_output=True, text=True, check=False, timeout=600)


def test_the_operator_logs_in_and_becomes_root_without_a_password(node: Node) -> None:
    done = ssh(node.ssh(), "id -un && sudo -n id -un && cat /proc/sys/kernel/hostname")
    assert (done.returncode, done.stdout.split()) == (0, ["ops", "root", node.name]), done.stderr


def test_root_logs_in_with_the_same_key(node: Node) -> None:
    assert ssh(node.ssh("root"), "id -u").stdout.strip() == "0"


def test_another_host_key_than_the_pinned_one_is_refused(node: Node, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    kind, blob, *_ = (tmp_path / "other.pub").read_text().split()
    (tmp_path / "known_hosts").write_text(f"{node.address} {kind} {blob}\n")
    words = [
        re.sub(r"^UserKnownHostsFile=.*", f"UserKnownHostsFile={tmp_path}/known_hosts", word) for word in node.ssh()
    ]
    done = ssh(words, "true")
    assert done.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in done.stderr


def test_the_machine_knows_nothing_of_the_operator_or_of_kubernetes(node: Node) -> None:
    assert node.run("getent passwd ops && test -d /etc/kubernetes/manifests").stdout.startswith("ops:")
    assert "ops" not in [user.pw_name for user in pwd.getpwall()]
    assert not Path("/etc/kubernetes").exists()
    assert not Path("/var/lib/kubelet").exists()


def test_a_node_cannot_change_the_machines_files(node: Node) -> None:
    for folder in ("/", "/usr/bin", "/usr/lib"):
        done = node.run(f"touch {folder}/lab-was-here", check=False)
        assert done.returncode != 0
        assert "Read-only file system" in done.stderr


def test_no_process_of_the_lab_listens_in_the_machines_own_network(lab: Lab, node: Node) -> None:
    listing = subprocess.run(["ss", "-Hlntup"], capture_output=True, text=True, check=True).stdout
    listening = {int(pid) for pid in re.findall(r"pid=(\d+)", listing)}
    ours = cgroups.processes(node.state.cgroup)
    assert ours
    assert not listening & ours
    assert lab.state.bridge_address not in listing
    # The same question on the node does find the servers.
    assert {f"{node.address}:22", f"{node.address}:2379"} <= set(node.run("ss -Hlnt").stdout.split())


def test_a_node_sees_its_own_processes_only(node: Node) -> None:
    seen = int(node.run("ls -d /proc/[0-9]* | wc -l").stdout)
    # Its own, and the few that this look itself needs.
    assert seen <= len(cgroups.processes(node.state.cgroup)) + 8
    assert node.run("cat /proc/1/comm").stdout.strip() == "pause"


def test_systemctl_answers_for_the_services_there_are(node: Node) -> None:
    assert node.run("systemctl is-active kubelet").stdout.strip() == "active"
    assert node.run("systemctl status postgresql", check=False).returncode == 4


def test_systemctl_restarts_a_service_as_another_process(node: Node) -> None:
    before = node.run("cat /run/lab/sshd.pid").stdout
    node.run("systemctl restart sshd")
    node.run('until [ -s /run/lab/sshd.pid ] && ss -Hlnt | grep -q ":22 "; do sleep 0.1; done')
    assert node.run("cat /run/lab/sshd.pid").stdout != before
    assert ssh(node.ssh(), "true").returncode == 0
