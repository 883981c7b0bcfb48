"""Every kind of drift, really made on a node: preview says what happened, ``up`` repairs it, and it is told once more.

What is compared with the stack's state must tell the second time from the first (docs/design.md, "Drift is a diff"):
files edited by hand always drift twice here, everything else does so in ``make test-exhaustive``.
"""

from __future__ import annotations

import json
from functools import partial

import pytest
import yaml

from auditlog.manifest import manifest
from lab.api import Lab, Node
from lab.stack import PulumiStack
from tests.lab.test_first_stack import (
    ARCHIVE,
    MANIFEST,
    PROCESS,
    cluster_configuration,
    eventually,
    hashes,
    process_arguments,
    process_ids,
)

POLICY = "/etc/kubernetes/audit-policy.yaml"
STRAY = f"{MANIFEST}.bak.1"
ELSEWHERE = "/etc/kubernetes/kube-apiserver.yaml.elsewhere"

once_or_twice = pytest.mark.parametrize(
    "times", [pytest.param(1, id="once"), pytest.param(2, id="twice", marks=pytest.mark.exhaustive)]
)


@pytest.fixture(scope="module")
def before(lab: Lab) -> str:
    """ClusterConfiguration as kubeadm wrote it."""
    return cluster_configuration(lab)


@pytest.fixture(scope="module")
def stack(stack: PulumiStack, before: str) -> PulumiStack:  # noqa: ARG001  read before the first up
    """Audit logging is on, and nothing has drifted."""
    stack.run("up", "--yes", "--skip-preview")
    stack.run("preview", "--expect-no-changes")
    return stack


def write_kubeadm_config(lab: Lab, text: str) -> None:
    patch = json.dumps({"data": {"ClusterConfiguration": text}})
    lab.kubectl("-n", "kube-system", "patch", "configmap", "kubeadm-config", "--type", "merge", "--patch", patch)


def regenerate_manifest(lab: Lab, node: Node) -> None:
    """kubeadm writes the manifest anew from the kubeadm-config there is, as an upgrade does."""
    cluster = yaml.safe_load(cluster_configuration(lab))
    initial = {
        "apiVersion": cluster["apiVersion"],
        "kind": "InitConfiguration",
        "localAPIEndpoint": {"advertiseAddress": node.address, "bindPort": 6443},
    }
    text = yaml.safe_dump_all([cluster, initial])
    node.run(f"cat >/root/kubeadm.yaml <<'EOF'\n{text}EOF\n")
    node.run("kubeadm init phase control-plane apiserver --config /root/kubeadm.yaml")


def await_restart(lab: Lab, node: Node) -> None:
    """kubelet takes the changed manifest; the old process is not given its 30 seconds to drain."""
    wanted = manifest.arguments(node.run(f"cat {MANIFEST}").stdout)
    node.run(f"{PROCESS} kill -KILL $(basename ${{comm%/comm}}); done", check=False)

    def running() -> str:
        processes = node.run(f"{PROCESS} cat ${{comm%comm}}cmdline; echo; done", check=False).stdout.splitlines()
        return "as wanted" if [tuple(each.split("\0")[:-1]) for each in processes] == [wanted] else "otherwise"

    assert eventually(running, lambda state: state == "as wanted") == "as wanted"
    lab.wait_ready()


def is_another(before: str, now: str) -> bool:
    return now not in ("", before)


def check_told_and_repaired(stack: PulumiStack, *reasons: str) -> None:
    preview = stack.run("preview", "--diff").stdout
    for reason in reasons:
        assert reason in preview
    assert " to update" in preview
    stack.run("up", "--yes", "--skip-preview")
    stack.run("preview", "--expect-no-changes")


def strays_moved(node: Node) -> int:
    return len(node.run(f"ls {ARCHIVE}/stray-manifests 2>/dev/null || true").stdout.splitlines())


def test_manifest_and_policy_edited_by_hand(lab: Lab, node: Node, stack: PulumiStack) -> None:
    good = hashes(node), node.sha256(POLICY)
    for _ in range(2):
        node.run(f"sed -i 's/level: Metadata/level: None/' {POLICY}")
        node.run(f"sed 's/maxage=30/maxage=3/' {MANIFEST} >{ELSEWHERE} && mv {ELSEWHERE} {MANIFEST}")
        await_restart(lab, node)
        check_told_and_repaired(
            stack,
            f"cp1: the policy file {POLICY} was edited since this stack wrote it",
            "cp1: the manifest was edited since this stack wrote it",
            "cp1: the manifest has --audit-log-maxage=3, not 30",
        )
        assert (hashes(node), node.sha256(POLICY)) == good


def test_the_scripts_deleted(node: Node, stack: PulumiStack) -> None:
    installed = "cd /etc/kubernetes/audit-logging && sha256sum node.sh facts"
    good = node.run(installed).stdout
    for lost in ("node.sh", "node.sh", "*"):
        node.run(f"rm -r /etc/kubernetes/audit-logging/{lost}")
        assert stack.run("preview", "--expect-no-changes", check=False).returncode != 0
        stack.run("up", "--yes", "--skip-preview")
        stack.run("preview", "--expect-no-changes")
        assert node.run(installed).stdout == good


@once_or_twice
def test_everything_lost_to_kubeadm_and_the_policy_deleted(
    lab: Lab, node: Node, stack: PulumiStack, before: str, times: int
) -> None:
    audited = process_arguments(node)
    for _ in range(times):
        write_kubeadm_config(lab, before)
        regenerate_manifest(lab, node)
        node.run(f"rm {POLICY}")
        await_restart(lab, node)
        assert not any(argument.startswith("--audit-") for argument in process_arguments(node))
        check_told_and_repaired(
            stack,
            f"cp1: the policy file {POLICY} was deleted since this stack wrote it",
            "cp1: the manifest was replaced by one without audit logging since this stack wrote it",
            "lab: kubeadm-config lacks audit-policy-file, audit-log-path, ",
            "lab: kubeadm-config was changed since this stack wrote it",
        )
        assert set(process_arguments(node)) == set(audited)


@once_or_twice
def test_a_process_that_is_older_than_its_policy(lab: Lab, node: Node, stack: PulumiStack, times: int) -> None:
    for _ in range(times):
        regenerate_manifest(lab, node)
        await_restart(lab, node)
        node.run(f"touch -d '+2 seconds' {POLICY}")
        running = process_ids(node)
        check_told_and_repaired(stack, "cp1: the running API server is older than its policy file")
        assert process_ids(node) != running


@once_or_twice
def test_a_stray_manifest_is_moved_out_of_the_way_where_that_is_wanted(
    lab: Lab, node: Node, stack: PulumiStack, times: int
) -> None:
    stack.configure(lab.state, {"quarantineStrayManifests": True})
    good = hashes(node)
    moved_before = strays_moved(node)
    for number in range(1, times + 1):
        running = process_ids(node)
        node.run(f"cp {MANIFEST} {ELSEWHERE} && mv {ELSEWHERE} {STRAY}")
        # kubelet mostly runs the copy in place of the original, and nothing can be read while it does so.
        eventually(partial(process_ids, node), partial(is_another, running), seconds=300)
        lab.wait_ready()
        check_told_and_repaired(
            stack, "cp1: kube-apiserver.yaml.bak.1 in /etc/kubernetes/manifests defines kube-apiserver too and is moved"
        )
        assert node.run(f"ls {STRAY} 2>/dev/null || true").stdout == ""
        assert strays_moved(node) == moved_before + number
        assert hashes(node) == good
        lab.wait_ready()
