"""What the tests of the node's scripts share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.node.changed_node import Node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    for folder in ("state/staged", "backup", "archive"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "manifest").write_text("old manifest")
    (tmp_path / "policy").write_text("old policy")
    (tmp_path / "backup/kube-apiserver.yaml").write_text("old manifest")
    (tmp_path / "backup/audit-policy.yaml").write_text("old policy")
    (tmp_path / "state/staged/kube-apiserver.yaml").write_text("new manifest")
    (tmp_path / "state/staged/audit-policy.yaml").write_text("new policy")
    return Node(tmp_path)
