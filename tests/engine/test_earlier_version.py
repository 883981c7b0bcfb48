"""A stack that an earlier version deployed: what today's program shows of it, and does to it, under the real engine."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from auditlog.nodes.facts import Facts
from tests.earlier_version import earlier_version
from tests.engine.fake_node import FakeNode
from tests.engine.program_stack import OWNER, STACK, Run, configure, deletions
from tests.engine.test_stack_files import pulumi
from tests.unit.plan.nodes import POLICY, applied, untouched


@pytest.fixture
def deployed(
    node: FakeNode,
    stack_file: Path,
    engine_environment: dict[str, str],
    tmp_path: Path,
) -> FakeNode:
    """A node on which the earlier version has turned audit logging on."""
    node.agree(untouched())
    words = ("up", "--yes", "--skip-preview", "--stack", STACK, "--config-file", str(stack_file))
    result = pulumi(earlier_version(tmp_path / "earlier"), engine_environment, *words)
    assert result.returncode == 0, result.stdout
    node.agree(dataclasses.replace(earlier(tmp_path), owner=OWNER, node_name="cp1"))
    (node.root / "told").unlink()
    return node


def earlier(folder: Path) -> Facts:
    """The node as the earlier version left it: the header of its policy is worded differently."""
    policy = (folder / "earlier/policies/low-write.yaml").read_text()
    assert policy != POLICY
    return applied(policy)


def test_one_update_records_the_entry_and_restarts_nothing(deployed: FakeNode, run: Run, tmp_path: Path) -> None:
    printed = run("preview", "--diff")
    assert "cp1: record only: the node notes that this stack calls it cp1" in printed
    assert "cp1: the node has scripts of another version, so they are installed again" in printed
    assert "restart: " not in printed
    assert "test: record only: from now on, a removal makes the earlier kubeadm-config from the present one" in printed
    assert "~ 3 to update" in printed
    run("up", "--yes", "--skip-preview")
    assert deployed.told() == ["apply-manifest locked", "apply-kubeadm-config locked"]
    assert "END-OF-THE-EARLIER-TEXT" not in run("stack", "export")
    as_recorded = dataclasses.replace(earlier(tmp_path), owner=OWNER, node_name="cp1", entry="cp1", edits_back=True)
    deployed.agree(as_recorded)
    run("preview", "--expect-no-changes")


def test_it_is_removed_as_it_was_deployed(deployed: FakeNode, run: Run) -> None:
    run("destroy", "--yes", "--skip-preview")
    assert [line.split()[0] for line in deletions(deployed)] == [
        "restore-kubeadm-config",
        "restore-manifest",
        "remove-policy",
        "uninstall",
    ]


def test_a_changed_policy_brings_owner_and_entry(
    deployed: FakeNode,
    run: Run,
    stack_file: Path,
) -> None:
    configure(stack_file, policy={"preset": "minimal"})
    run("up", "--yes", "--skip-preview")
    assert deletions(deployed) == []
    assert f"restore-manifest owner={OWNER} entry=cp1 written=" in run("stack", "export")
