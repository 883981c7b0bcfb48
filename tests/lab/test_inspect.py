"""`inspect` on a real control plane, in whatever state it is: it reads, and says what the node itself says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from auditlog.manifest import manifest
from lab.api import Lab, Node
from lab.paths import REPOSITORY

MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
FILES = "find /etc/kubernetes /tmp /root /home -printf '%p %C@ %m %s\\n' | sort"
PROCESS = "for comm in $(grep -lx kube-apiserver /proc/[0-9]*/comm); do cat ${comm%comm}cmdline; echo; done"

Inspect = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def node(running_lab: Lab) -> Node:
    running_lab.wait_ready()
    return running_lab.nodes[0]


@pytest.fixture
def inspect(running_lab: Lab, node: Node, tmp_path: Path) -> Inspect:
    """Runs the command as a person with the lab's key and no known hosts."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["-m", "auditlog", "inspect", f"ops@{node.address}", "--identity", str(running_lab.paths.ssh_key)]
        environment = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
        return subprocess.run(
            [sys.executable, *command, *arguments],
            cwd=REPOSITORY,
            env=environment | {"HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_report_is_what_the_node_itself_says_and_nothing_changes(inspect: Inspect, node: Node) -> None:
    before = node.run(FILES).stdout
    result = inspect("--json", "--host-key", node.host_key)
    assert node.run(FILES).stdout == before
    assert result.returncode in (0, 1), result.stderr
    (found,) = json.loads(result.stdout)["nodes"]
    (process,) = node.run(PROCESS).stdout.splitlines()
    running = manifest.flag_values(process.split("\0")[:-1])
    written = manifest.flag_values(manifest.arguments(node.run(f"cat {MANIFEST}").stdout))
    assert found["hostname"] == node.name
    assert found["audit_is_on"] is ("audit-policy-file" in running)
    assert found["flagz"] == "agrees"
    assert {flag["name"]: flag["value"] for flag in found["flags"]} == {
        name: value for name, value in written.items() if name.startswith("audit-")
    }
    assert (found["policy"]["sha256"] if found["policy"] else None) == (
        node.sha256(written["audit-policy-file"]) if "audit-policy-file" in written else None
    )
    silence = {"no-process", "api-server-silent", "kubeadm-config-unread"}
    unknown = {*silence, "kubeadm-config-would-drop-others", "manifest-unreadable"}
    assert unknown.isdisjoint(each["id"] for each in found["disagreements"])


def test_a_pipe_is_named_as_long_as_kubelet_waits_for_who_writes_to_it(inspect: Inspect, node: Node) -> None:
    pipe = f"{Path(MANIFEST).parent}/pipe"
    restart = "systemctl restart kubelet && until pgrep -x kubelet >/dev/null; do sleep 0.2; done"
    told = []
    node.run(f"mkfifo {pipe}")
    try:
        node.run("until grep -q -s wait_for_partner /proc/$(pgrep -x kubelet)/task/*/wchan; do sleep 0.2; done")
        told.append(inspect("--json", "--host-key", node.host_key))
        node.run(restart)
        told.append(inspect("--json", "--host-key", node.host_key))
    finally:
        node.run(f"rm {pipe}; {restart}")
    found = [{each["id"] for each in json.loads(each.stdout)["nodes"][0]["disagreements"]} for each in told]
    assert ["manifest-pipe" in each for each in found] == [True, False]


def test_people_get_one_screen(inspect: Inspect, running_lab: Lab, node: Node) -> None:
    result = inspect("-o", "wide", "--host-key", f"{node.address} {node.host_key}")
    version = running_lab.state.version.removeprefix("v")
    first, *rest = result.stdout.splitlines()
    assert first.startswith(f"ops@{node.address} ({node.name}): audit logging is ")
    assert first.endswith(f", Kubernetes {version}")
    assert 0 < len(rest) <= 50


def test_a_host_key_that_nobody_vouches_for_is_shown_and_refused(inspect: Inspect, node: Node) -> None:
    result = inspect()
    assert (result.returncode, result.stdout) == (2, "")
    assert "its host key is not in known_hosts" in result.stderr
    assert f"It offers '{node.host_key}'" in result.stderr


def test_a_draft_names_the_node_as_a_stack_reaches_it(inspect: Inspect, node: Node) -> None:
    result = inspect("--write-config", "lab", "--host-key", node.host_key)
    assert result.returncode in (0, 1), result.stderr
    config = yaml.safe_load(result.stdout)["config"]
    assert config["kubernetes-audit:cluster"] == "lab"
    assert config["kubernetes-audit:nodes"] == [
        {"name": node.name, "host": node.address, "user": "ops", "hostKey": node.host_key}
    ]
