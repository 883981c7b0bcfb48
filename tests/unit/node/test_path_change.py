"""A policy or webhook's kubeconfig whose path the settings change: nothing of the stack's stays where it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditlog.manifest.desired import sha256
from tests.unit.node.changed_node import Node


@pytest.fixture
def earlier(node: Node) -> Path:
    """Where the stack's last change has put the policy; this one puts it at ``node.policy``."""
    path = node.folder / "earlier-policy"
    path.write_text("the stack's policy")
    node.says("owner", "stack\n")
    node.says("paths", f"policy={path}\nlog=/nowhere\nwebhook=\n")
    for folder in ("before", "written"):
        (node.folder / "state" / folder).mkdir()
    node.says("written/policy", sha256("the stack's policy") + "\n")
    node.says("before/kube-apiserver.yaml", "before audit logging")
    return path


def succeeds(node: Node) -> str:
    node.says("new-runs")
    node.says("healthy")
    return node.enable(timeout=5)


def test_the_earlier_file_goes_and_what_was_at_the_new_path_is_kept(node: Node, earlier: Path) -> None:
    said = succeeds(node)
    assert f"policy: {node.policy} is in use now; {earlier} removed\n" in said
    assert not earlier.exists()
    assert node.policy.read_text() == "new policy"
    assert (node.folder / "state/before/audit-policy.yaml").read_text() == "old policy"
    assert "earlier-policy" not in "".join(path.name for path in node.folder.rglob("*moved*"))


def test_what_was_there_before_the_stack_comes_back_to_its_own_path(node: Node, earlier: Path) -> None:
    node.says("before/audit-policy.yaml", "made by hand")
    node.policy.unlink()
    assert f"{earlier} is as it was before audit logging\n" in succeeds(node)
    assert earlier.read_text() == "made by hand"
    assert not (node.folder / "state/before/audit-policy.yaml").exists(), "nothing was at the new path"


def test_a_file_that_somebody_changed_stays(node: Node, earlier: Path) -> None:
    earlier.write_text("edited")
    assert f"{earlier} is not as this stack wrote it, and stays\n" in succeeds(node)
    assert earlier.read_text() == "edited"


def test_a_change_that_is_put_back_leaves_the_file_that_is_in_use(node: Node, earlier: Path) -> None:
    node.says("healthy")
    assert "The earlier manifest runs again" in node.enable()
    assert earlier.read_text() == "the stack's policy"
    assert not (node.folder / "state/before/audit-policy.yaml").exists()
    for name, text in (("kube-apiserver", "new manifest"), ("audit-policy", "new policy")):
        node.says(f"staged/{name}.yaml", text)
    assert "removed" in succeeds(node), "the next one settles it"
    assert not earlier.exists()


def test_a_change_cut_off_after_it_was_done_is_settled_by_the_next(node: Node, earlier: Path) -> None:
    node.run(f"keep_moved policy {node.policy}")
    node.says("paths", f"policy={node.policy}\nlog=/nowhere\nwebhook=\n")
    node.run(f"keep_moved policy {node.policy}")
    assert not earlier.exists()
    assert (node.folder / "state/before/audit-policy.yaml").read_text() == "old policy"


@pytest.mark.parametrize("before", [None, "made by hand"])
def test_nothing_waits_beside_it_where_the_power_went_before_it_was_cleared(
    node: Node, earlier: Path, before: str | None
) -> None:
    """The file went, or the one from before came, and what it displaced was not taken away any more."""
    if before is not None:
        node.says("before/audit-policy.yaml", before)
    node.run(f"keep_moved policy {node.policy}")
    node.says("paths", f"policy={node.policy}\nlog=/nowhere\nwebhook=\n")
    node.run("clear_slot() { exit 1; }\nsettle_moved policy")
    slot = earlier.with_name(f".{earlier.name}.kubernetes-audit-displaced")
    assert slot.read_text() == "the stack's policy"
    said = node.run("settle_moved policy")
    assert not slot.exists()
    assert "stays" not in said
    assert (earlier.read_text() if earlier.exists() else None) == before


def test_a_webhooks_kubeconfig_is_not_left_either(node: Node, earlier: Path) -> None:
    credentials, new = node.folder / "credentials", node.folder / "webhook"
    credentials.write_text("a token")
    (node.folder / "state/staged/audit-webhook.yaml").write_text("a new token")
    node.says("paths", f"policy={node.policy}\nlog=/nowhere\nwebhook={credentials}\n")
    node.says("written/webhook", sha256("a token") + "\n")
    node.says("new-runs")
    node.says("healthy")
    said = node.run(
        f"transaction enable {node.as_read} policy={node.policy} policy-desired={sha256('new policy')} webhook={new} "
        f"webhook-desired={sha256('a new token')} arguments=a arguments-before=b endpoint=e timeout=5 log=/nowhere "
        "marker=no owner=stack 2>&1"
    )
    assert f"webhook: {new} is in use now; {credentials} removed\n" in said
    assert not credentials.exists()
    assert earlier.exists(), "the policy has not moved"
    assert (node.folder / "state/written/webhook").read_text() == sha256("a new token") + "\n"


@pytest.mark.parametrize("left", ["made by hand", "new policy"])
def test_what_a_removal_left_beside_a_file_is_nobodys_edit(node: Node, left: str) -> None:
    """It was cut off with the file from before on its way in, or with the stack's own just out."""
    for folder in ("before", "written"):
        (node.folder / "state" / folder).mkdir()
    node.says("before/kube-apiserver.yaml", "before audit logging")
    node.says("before/audit-policy.yaml", "made by hand")
    node.says("written/policy", sha256("new policy") + "\n")
    node.policy.write_text("new policy")
    slot = node.policy.with_name(f".{node.policy.name}.kubernetes-audit-displaced")
    slot.write_text(left)
    said = succeeds(node)
    assert "somebody else" not in said
    assert not slot.exists()
    assert node.policy.read_text() == "new policy"
    assert (node.folder / "state/before/audit-policy.yaml").read_text() == "made by hand"
