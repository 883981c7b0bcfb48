"""Fixtures of an audited cluster; a test module names this module in its ``pytest_plugins``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from auditlog.proof.verdict import Proven
from components import proof
from tests.engine.audited_cluster import NODES, SUDO, Cluster, succeed
from tests.engine.engine_stack import EngineStack
from tests.engine.fake_node import fake_node
from tests.engine.ssh_server import new_key, serving
from tests.unit.plan.nodes import untouched


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    fake_node(tmp_path / "node", monkeypatch)._command("sudo", SUDO)
    for name in NODES:
        (tmp_path / name).mkdir()
    key = new_key()
    with serving(tmp_path / "cp1", key) as first, serving(tmp_path / "cp2", key) as second:
        outcome = Proven("e1", "2026-01-01T00:00:00+00:00", "/var/log/audit.log", 0.02)
        made = Cluster(dict(zip(NODES, (first, second), strict=True)), outcome)
        monkeypatch.setattr(proof, "prove_nodes", made.prove)
        made.agree(untouched())
        yield made


@pytest.fixture
def audited(engine_stack: EngineStack, cluster: Cluster) -> EngineStack:
    """The stack after the first ``up``; what has been proven until then is forgotten."""
    succeed(engine_stack.up(cluster.program))
    assert sorted(cluster.proven) == list(NODES)
    cluster.is_applied()
    del cluster.proven[:]
    return engine_stack
