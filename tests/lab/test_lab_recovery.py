"""A second lab beside the running one: killed half-way, taken down, started, changed and reset."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import cgroups, network
from lab.api import Lab
from lab.paths import REPOSITORY, Paths
from lab.state import load

ROOT = REPOSITORY / ".lab" / "second"
PATHS = Paths.of(ROOT)
ENVIRONMENT = {**os.environ, "LAB_ROOT": str(ROOT)}


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", *words],
        cwd=REPOSITORY,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


def killed_up(marker: str) -> None:
    """Run ``up`` and kill it without warning as soon as it says ``marker``."""
    with subprocess.Popen(
        [sys.executable, "-m", "lab", "up"], cwd=REPOSITORY, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert any(marker in line for line in process.stdout), f"up never said {marker!r}"
        process.send_signal(signal.SIGKILL)


def remains(identity: str) -> list[str]:
    """What carries the name of the lab: links, cgroups, and living processes."""
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    found = re.findall(rf"lab{identity}\w*", links)
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/lab-{identity}-*")]
    for membership in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            text = membership.read_text()
            status = membership.with_name("stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        # A zombie has ended; it waits for its parent to look.
        if f"lab-{identity}-" in text and status != "Z":
            found.append(str(membership))
    return found


def machine() -> tuple[str, str]:
    """The machine's own mounts and addresses."""
    addresses = subprocess.run(["ip", "-o", "-4", "address"], capture_output=True, text=True, check=True).stdout
    return Path("/proc/self/mountinfo").read_text(), addresses


@pytest.fixture(autouse=True, scope="module")
def _no_second_lab() -> Iterator[None]:
    command("down")
    yield
    command("down")


@pytest.mark.parametrize("marker", ["starting the node", "loading the images", "kubeadm init"])
def test_down_removes_everything_after_a_kill(marker: str) -> None:
    before = machine()
    killed_up(marker)
    state = load(PATHS.state)
    assert state is not None
    assert remains(state.identity), "nothing was made before the kill"
    done = command("down")
    assert done.returncode == 0, done.stderr
    assert remains(state.identity) == []
    assert machine() == before
    assert [path.name for path in ROOT.iterdir()] == ["lock"]


def test_up_after_a_kill_makes_a_lab_and_leaves_it_alone_afterwards() -> None:
    killed_up("kubeadm init")
    assert command("up").returncode == 0
    lab = Lab.load(PATHS)
    lab.wait_ready()
    server = lab.nodes[0].run("pgrep -ox kube-apiserver").stdout
    assert command("up").returncode == 0
    assert lab.nodes[0].run("pgrep -ox kube-apiserver").stdout == server


def test_up_after_a_reboot_starts_the_cluster_there_was() -> None:
    assert command("up").returncode == 0
    lab = Lab.load(PATHS)
    lab.kubectl("create", "configmap", "before-the-reboot")
    for node in lab.nodes:
        cgroups.end_all(node.state.cgroup)
    network.remove_bridge(lab.state)
    assert command("up").returncode == 0
    assert "configmap/before-the-reboot" in lab.kubectl("get", "configmaps", "-o", "name")


def test_another_shape_of_lab_is_refused_while_one_is_up() -> None:
    assert command("up").returncode == 0
    state = json.loads(PATHS.state.read_text())
    PATHS.state.write_text(json.dumps({**state, "kubernetes": "1.35"}))
    done = command("up", "--kubernetes", "1.36")
    PATHS.state.write_text(json.dumps(state))
    assert done.returncode == 1
    assert "python -m lab down first" in done.stderr


def test_reset_gives_back_what_kubeadm_left() -> None:
    assert command("up").returncode == 0
    lab = Lab.load(PATHS)
    node = lab.nodes[0]
    manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"
    read_config = ("get", "configmap", "kubeadm-config", "-n", "kube-system", "-o", "jsonpath={.data}")
    before = node.sha256(manifest), lab.kubectl(*read_config), node.run("ls -A /etc/kubernetes/manifests").stdout
    lab.kubectl("patch", "configmap", "kubeadm-config", "-n", "kube-system", "-p", '{"data": {"Other": "x"}}')
    node.run(
        f"""
        cd /etc/kubernetes
        mkdir -p audit apiserver-manifest-archive /var/log/kubernetes/audit
        sed 's/    - --secure-port=6443/    - --profiling=false\\n&/' {manifest} > staged
        printf 'apiVersion: v1\\nkind: Pod\\nmetadata: {{name: stray}}\\n' > stray && mv stray manifests/stray.yaml
        mv staged {manifest}
        """
    )
    assert node.sha256(manifest) != before[0]

    assert lab.reset()

    after = node.sha256(manifest), lab.kubectl(*read_config), node.run("ls -A /etc/kubernetes/manifests").stdout
    assert after == before
    assert node.run("ls -d /etc/kubernetes/a* /var/log/kubernetes/audit", check=False).stdout.split() == [
        "/etc/kubernetes/admin.conf"
    ]
    assert "--profiling=false" not in node.run('cat "/proc/$(pgrep -ox kube-apiserver)/cmdline"').stdout
    assert not lab.reset()
