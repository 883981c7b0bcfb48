"""What goes wrong on the way leaves a running API server and nothing lost, and the next ``up`` completes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from lab.api import Lab, Node
from lab.environment import environment
from lab.paths import REPOSITORY
from lab.stack import PulumiStack
from tests.lab.test_first_stack import ARCHIVE, MANIFEST, eventually, hashes, process_arguments

SCRIPT = "/etc/kubernetes/audit-logging/node.sh"
JOURNAL = "/etc/kubernetes/audit-logging/journal"


@pytest.fixture(scope="module")
def before(node: Node) -> dict[str, str]:
    return hashes(node)


@pytest.fixture
def interrupted_up(stack: PulumiStack) -> Iterator[subprocess.Popen[str]]:
    """A ``pulumi up`` that has just put the new manifest in place."""
    command = stack.command("up", "--yes", "--skip-preview")
    with subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=environment(stack.paths),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as running:
        assert running.stdout is not None
        seen = ""
        for line in running.stdout:
            seen += line
            if "swap: done" in line:
                break
        else:
            pytest.fail(f"up ended before the swap:\n{seen}")
        yield running
        running.kill()


def test_a_full_disk_ends_the_change_before_it_begins(node: Node, stack: PulumiStack, before: dict[str, str]) -> None:
    node.run(f"mkdir -p {ARCHIVE} && mount -t tmpfs -o size=4k,nr_inodes=2 tmpfs {ARCHIVE} && echo x >{ARCHIVE}/full")
    try:
        result = stack.run("up", "--yes", "--skip-preview", check=False)
    finally:
        node.run(f"umount {ARCHIVE}")
    assert result.returncode != 0
    assert f"to {ARCHIVE}; nothing was changed" in result.stdout
    assert hashes(node) == before
    assert node.run(f"ls {JOURNAL} 2>/dev/null || true").stdout == ""


def test_a_stray_copy_of_the_manifest_is_refused_with_the_remedy(
    lab: Lab, node: Node, stack: PulumiStack, before: dict[str, str]
) -> None:
    node.run(f"cp {MANIFEST} {MANIFEST}.bak.1")
    try:
        result = stack.run("preview", check=False)
    finally:
        node.run(f"rm {MANIFEST}.bak.1")
    assert result.returncode != 0
    assert "kube-apiserver.yaml.bak.1 in /etc/kubernetes/manifests defines kube-apiserver too" in result.stdout
    assert "mv /etc/kubernetes/manifests/kube-apiserver.yaml.bak.1 /etc/kubernetes/" in result.stdout
    lab.wait_ready()
    assert hashes(node) == before


def test_killing_the_change_on_the_node_after_the_swap_is_finished_by_the_next_up(
    lab: Lab, node: Node, stack: PulumiStack, interrupted_up: subprocess.Popen[str]
) -> None:
    node.run("pkill -KILL -f '[n]ode.sh work'")  # not the shell that runs this line
    interrupted_up.communicate()
    assert interrupted_up.returncode != 0
    assert node.run(f"ls {JOURNAL}").stdout.strip() == JOURNAL
    assert "an earlier change of the node was cut off and is to be finished" in stack.run("preview").stdout
    printed = stack.run("up", "--yes", "--skip-preview").stdout
    assert "resume: an earlier change of this node was cut off" in printed
    assert "manifest: running and healthy" in printed
    stack.run("preview", "--expect-no-changes")
    lab.wait_ready()


def test_destroy_gives_back_what_was_before_the_interrupted_change(
    node: Node, stack: PulumiStack, before: dict[str, str]
) -> None:
    stack.run("destroy", "--yes", "--skip-preview")
    assert hashes(node) == before


def test_a_lost_ssh_connection_does_not_stop_the_change_and_a_second_operator_is_refused(
    lab: Lab, node: Node, stack: PulumiStack, interrupted_up: subprocess.Popen[str], before: dict[str, str]
) -> None:
    second = node.run(f"sh {SCRIPT} uninstall", check=False)
    assert second.returncode != 0
    assert "another change of this node is under way" in second.stderr
    node.run("pkill -KILL -f '[s]shd: ops'")
    interrupted_up.communicate()
    assert interrupted_up.returncode != 0
    finished = eventually(lambda: node.run(f"ls {JOURNAL} 2>/dev/null || true").stdout, lambda there: there == "")
    assert finished == ""
    lab.wait_ready()
    assert any(argument.startswith("--audit-log-path=") for argument in process_arguments(node))
    printed = stack.run("up", "--yes", "--skip-preview").stdout
    assert "manifest: in sync" in printed
    stack.run("preview", "--expect-no-changes")
    stack.run("destroy", "--yes", "--skip-preview")
    assert hashes(node) == before
