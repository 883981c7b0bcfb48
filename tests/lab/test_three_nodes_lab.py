"""A lab of several nodes: what kubeadm makes of it, killed half-way, rebooted and reset.

test_three_nodes_under_load.py adds a node to it.
"""

from __future__ import annotations

import re
import subprocess

import pytest

from lab import cgroups, network
from lab.api import Lab
from lab.state import load
from tests.lab.nodes import etcd_members, ready_nodes
from tests.lab.own_lab import OwnLab, machine, remains
from tests.lab.test_first_stack import MANIFEST, eventually, process_arguments

# The first test makes the lab, which on a busy machine alone takes minutes.
pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(2400)]

THREE = OwnLab("three")


@pytest.fixture(scope="module")
def lab(three_nodes: Lab) -> Lab:
    now = Lab.load(three_nodes.paths)  # another module may have added a node
    now.reset()
    return now


def test_every_node_is_ready_and_its_etcd_a_member_of_one_cluster(lab: Lab) -> None:
    names = [node.name for node in lab.nodes]
    assert ready_nodes(lab) == names
    assert etcd_members(lab.nodes[-1]) == names


def test_the_endpoint_is_the_load_balancer_which_does_not_listen_in_the_machines_own_network(lab: Lab) -> None:
    assert lab.state.balancer is not None
    server = f"server: https://{lab.state.balancer.address}:6443\n"
    assert all(server in node.run("cat /etc/kubernetes/admin.conf").stdout for node in lab.nodes)
    listing = subprocess.run(["ss", "-Hlntup"], capture_output=True, text=True, check=True).stdout
    ours = cgroups.processes(lab.state.balancer.cgroup)
    assert ours
    assert not ours & {int(pid) for pid in re.findall(r"pid=(\d+)", listing)}


def test_the_endpoint_answers_while_one_node_is_gone_and_the_node_comes_back(lab: Lab) -> None:
    lost = lab.nodes[0]
    cgroups.end_all(lost.state.cgroup)
    assert eventually(lambda: lab.kubectl("get", "--raw", "/readyz", check=False), lambda said: said == "ok") == "ok"
    assert f"{lost.name} {lost.address}: not running" in THREE.command("status").stdout
    THREE.up()
    assert "not running" not in THREE.command("status").stdout


def test_up_after_a_reboot_starts_the_cluster_there_was(lab: Lab) -> None:
    lab.kubectl("create", "configmap", "before-the-reboot")
    assert lab.state.balancer is not None
    for member in (*lab.state.nodes, lab.state.balancer):
        cgroups.end_all(member.cgroup)
    network.remove_bridge(lab.state)
    THREE.up()
    assert "configmap/before-the-reboot" in lab.kubectl("get", "configmaps", "-o", "name")


def test_reset_gives_every_node_back_what_kubeadm_left(lab: Lab) -> None:
    before = [node.sha256(MANIFEST) for node in lab.nodes]
    for node in lab.nodes[1:]:
        node.run(
            f"""
            cd /etc/kubernetes
            sed 's/    - --secure-port=6443/    - --profiling=false\\n&/' {MANIFEST} > staged
            mv staged {MANIFEST}
            """
        )
    assert [node.sha256(MANIFEST) for node in lab.nodes] != before
    assert lab.reset()
    assert [node.sha256(MANIFEST) for node in lab.nodes] == before
    for node in lab.nodes:
        assert "--profiling=false" not in process_arguments(node)
    assert not lab.reset()


def test_another_number_of_nodes_is_refused_while_the_lab_is_up(lab: Lab) -> None:
    done = THREE.command("up", "--nodes", str(len(lab.nodes) - 1))
    assert done.returncode == 1
    assert f"the lab is up with {len(lab.nodes)} node(s)" in done.stderr


def test_down_removes_everything_after_a_kill_in_the_middle_of_a_join() -> None:
    own = OwnLab("killed")
    before = machine()
    own.killed_up("cp2: kubeadm join", "--nodes", "2")
    state = load(own.paths.state)
    assert state is not None
    assert remains(state.identity), "nothing was made before the kill"
    done = own.command("down")
    assert done.returncode == 0, done.stderr
    assert eventually(lambda: remains(state.identity), lambda found: not found, seconds=120) == []
    assert machine() == before
    assert [path.name for path in own.paths.root.iterdir()] == ["lock"]
