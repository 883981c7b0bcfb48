"""A second lab beside the running one: killed half-way, taken down, started, changed and reset."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lab import cgroups, network
from lab.api import Lab
from lab.state import load
from tests.lab.own_lab import OwnLab, machine, remains
from tests.lab.test_first_stack import eventually

SECOND = OwnLab("second")
PATHS = SECOND.paths
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


@pytest.fixture(autouse=True, scope="module")
def _no_second_lab() -> Iterator[None]:
    SECOND.command("down")
    yield
    SECOND.command("down")


@pytest.mark.parametrize(
    "marker",
    [
        *(pytest.param(early, marks=pytest.mark.exhaustive) for early in ("starting the node", "loading the images")),
        "kubeadm init",
    ],
)
def test_down_removes_everything_after_a_kill(marker: str) -> None:
    before = machine()
    SECOND.killed_up(marker)
    state = load(PATHS.state)
    assert state is not None
    assert remains(state.identity), "nothing was made before the kill"
    done = SECOND.command("down")
    assert done.returncode == 0, done.stderr
    assert eventually(lambda: remains(state.identity), lambda found: not found, seconds=120) == []
    assert machine() == before
    assert [path.name for path in PATHS.root.iterdir()] == ["lock"]


def test_up_after_a_kill_makes_a_lab_and_leaves_it_alone_afterwards() -> None:
    SECOND.killed_up("kubeadm init")
    SECOND.up()
    lab = Lab.load(PATHS)
    lab.wait_ready()
    server = lab.nodes[0].run("pgrep -ox kube-apiserver").stdout
    SECOND.up()
    assert lab.nodes[0].run("pgrep -ox kube-apiserver").stdout == server


def test_up_after_a_reboot_starts_the_cluster_there_was() -> None:
    SECOND.up()
    lab = Lab.load(PATHS)
    lab.kubectl("create", "configmap", "before-the-reboot")
    boot_id = lab.nodes[0].run(BOOT_ID).stdout
    for node in lab.nodes:
        cgroups.end_all(node.state.cgroup)
    network.remove_bridge(lab.state)
    SECOND.up()
    assert "configmap/before-the-reboot" in lab.kubectl("get", "configmaps", "-o", "name")
    assert lab.nodes[0].run(BOOT_ID).stdout != boot_id, "what runs on the node has to see that it was started anew"


def test_another_shape_of_lab_is_refused_while_one_is_up() -> None:
    SECOND.up()
    state = json.loads(PATHS.state.read_text())
    PATHS.state.write_text(json.dumps({**state, "kubernetes": "1.36"}))
    done = SECOND.command("up", "--kubernetes", "1.37")
    PATHS.state.write_text(json.dumps(state))
    assert done.returncode == 1
    assert "python -m lab down first" in done.stderr


def test_reset_gives_back_what_kubeadm_left() -> None:
    SECOND.up()
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
