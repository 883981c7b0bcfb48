"""The stack file and the environment in which Pulumi works on the lab."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from lab.environment import environment
from lab.paths import Paths
from lab.stack import configuration
from lab.state import LabState, plan


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(root=tmp_path / "lab", bin=tmp_path / "bin")


@pytest.fixture
def state() -> LabState:
    planned = plan(Path("/lab"), kubernetes="1.36", version="v1.36.3", count=1, networks=(), sysctls={})
    return planned.with_node(replace(planned.nodes[0], host_key="ssh-ed25519 AAAA"))


def test_the_stack_is_configured_with_every_node_and_its_host_key_and_without_the_private_key(state: LabState) -> None:
    assert configuration(state) == {
        "cluster": "lab",
        "nodes": [{"name": "cp1", "host": "10.197.0.11", "user": "ops", "hostKey": "ssh-ed25519 AAAA"}],
        "policy": {"preset": "low-write"},
    }


def test_pulumi_gets_a_home_and_state_of_the_lab_and_no_agent(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("PULUMI_HOME", "/elsewhere")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    variables = environment(paths)
    assert "SSH_AUTH_SOCK" not in variables
    assert "PYTHONDONTWRITEBYTECODE" not in variables
    assert variables["PULUMI_HOME"] == str(paths.root / "pulumi-home")
    assert variables["PULUMI_BACKEND_URL"] == f"file://{paths.root}/pulumi-state"
    assert (paths.root / "pulumi-state").is_dir()


def test_official_programs_are_linked_in_place_of_our_own(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = paths.root / "pulumi-home/plugins/resource-command-v1.2.1/pulumi-resource-command"
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", "/usr/bin")
    environment(paths)
    assert provider.readlink() == paths.bin / "pulumi-resource-command"

    official = tmp_path / "official" / "pulumi-resource-command"
    official.parent.mkdir()
    official.write_text("#!/bin/sh\n")
    official.chmod(0o755)
    monkeypatch.setenv("PATH", f"{official.parent}{os.pathsep}/usr/bin")
    environment(paths)
    assert provider.readlink() == official
