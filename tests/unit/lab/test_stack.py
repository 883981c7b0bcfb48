"""The stack file and the environment in which Pulumi works on the lab."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from auditlog.settings.parse import parse_settings
from lab.environment import environment
from lab.paths import Paths
from lab.stack import configuration
from lab.state import LabState, plan
from lab.tools import kubernetes_provider, pulumi_tools
from tests.unit.plan.nodes import HOST_KEY


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


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def plugins(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the lab links provider plugins, on a machine that has none installed."""
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", "/usr/bin")
    return paths.root / "pulumi-home/plugins"


def test_the_stack_keeps_nothing_in_the_cluster_so_the_demonstration_needs_no_kubernetes_provider(
    state: LabState,
) -> None:
    reached = state.with_node(replace(state.nodes[0], host_key=HOST_KEY))
    assert parse_settings(configuration(reached), ("low-write",)).in_cluster == {}
    assert "kubernetes" not in {tool.provider for tool in pulumi_tools()}


def test_a_provider_is_linked_only_where_it_is_built(paths: Paths, plugins: Path) -> None:
    provider = plugins / "resource-kubernetes-v4.34.2/pulumi-resource-kubernetes"
    environment(paths)
    assert not provider.parent.exists()
    built = program(kubernetes_provider().path(paths))
    environment(paths)
    assert provider.readlink() == built
    built.unlink()
    environment(paths)
    assert not provider.parent.exists()


def test_official_programs_are_linked_in_place_of_our_own(
    paths: Paths, plugins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = plugins / "resource-command-v1.2.1/pulumi-resource-command"
    built = program(paths.bin / "pulumi-resource-command")
    environment(paths)
    assert provider.readlink() == built

    official = program(tmp_path / "official" / "pulumi-resource-command")
    monkeypatch.setenv("PATH", f"{official.parent}{os.pathsep}/usr/bin")
    environment(paths)
    assert provider.readlink() == official
