"""Which of the engine's commands reach the nodes with a deletion, and whether the node can tell that it must not obey.

The real engine runs the project's own program on a node that is a folder. A deletion that comes while the program holds
the node's lock is one half of a replacement: the node keeps its files (tests/unit/node/test_identity.py, and on a real
kubelet tests/lab/faults/test_engine_commands.py).
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from auditlog.nodes.facts import Facts
from tests.engine.fake_node import FakeNode
from tests.engine.program_stack import OWNER, Run, configure, deletions, urn, urns
from tests.unit.plan.nodes import applied, untouched


@pytest.fixture
def deployed(node: FakeNode, run: Run) -> FakeNode:
    """A node on which the stack has turned audit logging on; what it was told for that is forgotten."""
    node.agree(untouched())
    run("up", "--yes", "--skip-preview")
    node.agree(as_applied())
    (node.root / "told").unlink()
    return node


def as_applied(**more: object) -> Facts:
    return dataclasses.replace(applied(), owner=OWNER, entry="cp1", node_name="cp1", edits_back=True, **more)  # type: ignore[arg-type]


COMMANDS = {
    "cp1-manifest": "restore-manifest",
    "cp1-policy": "remove-policy",
    "cp1-scripts": "uninstall",
    "cluster-configuration": "restore-kubeadm-config",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_replacement_deletes_first_while_the_node_is_locked(deployed: FakeNode, run: Run, name: str) -> None:
    run("up", "--yes", "--skip-preview", "--replace", urn(run, name))
    assert deployed.told()[0] == f"{COMMANDS[name]} locked"
    assert deletions(deployed) == [f"{COMMANDS[name]} locked"]
    deployed.await_unlocked()


def test_target_replace_is_the_same(deployed: FakeNode, run: Run) -> None:
    run("up", "--yes", "--skip-preview", "--target-replace", urn(run, "cp1-manifest"))
    assert deletions(deployed) == ["restore-manifest locked"]


def test_a_tainted_command_is_replaced_in_the_same_way(deployed: FakeNode, run: Run) -> None:
    run("state", "taint", urn(run, "cp1-manifest"), "--yes")
    run("up", "--yes", "--skip-preview")
    assert deletions(deployed) == ["restore-manifest locked"]


def test_a_command_that_left_the_state_is_made_anew_without_a_deletion(deployed: FakeNode, run: Run) -> None:
    run("state", "delete", urn(run, "cluster-configuration"), "--yes")
    run("state", "delete", urn(run, "cp1-manifest"), "--yes")
    run("up", "--yes", "--skip-preview")
    assert deletions(deployed) == []
    assert [line.split()[0] for line in deployed.told()] == ["apply-manifest", "apply-kubeadm-config"]


def test_destroy_deletes_a_node_that_no_program_has_locked(deployed: FakeNode, run: Run) -> None:
    run("destroy", "--yes", "--skip-preview")
    assert deletions(deployed) == [
        "restore-kubeadm-config free",
        "restore-manifest free",
        "remove-policy free",
        "uninstall free",
    ]


def test_switching_off_deletes_a_node_that_no_program_has_locked(
    deployed: FakeNode,
    run: Run,
    stack_file: Path,
) -> None:
    configure(stack_file, enabled=False)
    run("up", "--yes", "--skip-preview")
    assert [line.split()[1] for line in deletions(deployed)] == ["free"] * 4


@pytest.mark.parametrize(
    ("entry", "node_name"), [("cp1", "master-1"), (None, "cp1")], ids=["recorded", "a state of an earlier version"]
)
def test_a_renamed_node_is_the_same_resources(
    deployed: FakeNode,
    run: Run,
    stack_file: Path,
    entry: str | None,
    node_name: str,
) -> None:
    (node,) = yaml.safe_load(stack_file.read_text())["config"]["kubernetes-audit:nodes"]
    configure(stack_file, nodes=[node | {"name": "master-1"}])
    deployed.agree(dataclasses.replace(as_applied(), entry=entry, node_name=node_name))
    printed = run("preview", "--diff")
    assert "delete" not in printed.rpartition("Resources:")[2]
    assert "+ create" not in printed
    run("up", "--yes", "--skip-preview")
    assert deletions(deployed) == []
    names = {urn.rsplit("::", 1)[1] for urn in urns(run)}
    assert {"master-1", "master-1-manifest", "master-1-policy", "master-1-scripts"} <= names
    assert not any(name.startswith("cp1") for name in names)


def test_the_name_of_another_machine_is_refused(deployed: FakeNode, run: Run, stack_file: Path) -> None:
    (node,) = yaml.safe_load(stack_file.read_text())["config"]["kubernetes-audit:nodes"]
    configure(stack_file, nodes=[node | {"name": "master-1"}])
    with pytest.raises(
        AssertionError, match="this machine is the node 'cp1' of its cluster, and nodes calls it 'master-1'"
    ):
        run("preview")
    assert deployed.told() == []
