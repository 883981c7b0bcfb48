"""The example of a policy pack, run by the real engine on a stack of two nodes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench.preview.requirements_environment import install
from lab.paths import REPOSITORY
from tests.engine.audited_cluster import Cluster, succeed
from tests.engine.engine_stack import EngineStack, Run

pytest_plugins = ("tests.engine.cluster_fixtures",)

PACK = REPOSITORY / "docs" / "examples" / "policy_pack"
PROD = {"production-has-an-allowed-preset": {"stacks": "test", "presets": ["standard", "low-write"]}}


@pytest.fixture(scope="session")
def pack_environment() -> Path:
    """The pack's own Python environment, made once and kept with the lab's tools."""
    environment = REPOSITORY / ".lab" / "policy-pack"
    install(environment, PACK / "requirements.txt", "the policy pack's requirements")
    return environment


@pytest.fixture
def pack(tmp_path: Path, pack_environment: Path) -> Path:
    """The pack as `pulumi install` leaves it: with its environment."""
    folder = tmp_path / "pack"
    shutil.copytree(PACK, folder)
    (folder / "venv").symlink_to(pack_environment)
    # The engine has the language host start a pack, and the lab's host is too old to. A program it starts by itself.
    start = folder / "start"
    start.write_text(f'#!/bin/sh\nexec {folder}/venv/bin/python -u -m pulumi.policy "$1" {folder}\n')
    start.chmod(0o755)
    return folder


@pytest.fixture
def stack(tmp_path: Path, engine_environment: dict[str, str]) -> EngineStack:
    work_directory = tmp_path / "policed"
    work_directory.mkdir()
    return EngineStack(work_directory, engine_environment)


def preview(stack: EngineStack, cluster: Cluster, pack: Path, **config: Any) -> Run:
    file = pack / "config.json"
    file.write_text(json.dumps(config))
    return stack.preview(cluster.program, policy_packs=[str(pack / "start")], policy_pack_configs=[str(file)])


def test_a_good_stack_passes_and_a_bad_one_fails_with_every_reason(
    cluster: Cluster, stack: EngineStack, pack: Path
) -> None:
    succeed(preview(stack, cluster, pack, **PROD))
    two = {"every-node-is-audited": {"nodes": 2}}
    succeed(preview(stack, cluster, pack, **PROD, **two))

    cluster.more |= {"policy": {"preset": "minimal"}, "auditLog": {"maxAge": 7}}
    error = preview(stack, cluster, pack, **PROD, **{"every-node-is-audited": {"nodes": 3}}).error
    assert error is not None
    for reason in (
        "2 control-plane nodes are audited; required: 3",
        "east-cp1-policy: the preset is minimal; allowed in this stack: standard, low-write",
        "east-cp2-policy: the preset is minimal; allowed in this stack: standard, low-write",
        "east-cp1-manifest: the log is kept for 7 days; required: 30",
    ):
        assert reason in error
    assert not any(" apply-manifest " in command for command in cluster.commands())
