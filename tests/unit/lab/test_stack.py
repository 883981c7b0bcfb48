"""The stack file and the environment in which Pulumi works on the lab."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from lab import stack
from lab.environment import environment
from lab.paths import Paths
from lab.state import LabState, plan

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nbGFi\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(root=tmp_path / "lab", bin=tmp_path / "bin")


@pytest.fixture
def state() -> LabState:
    planned = plan(Path("/lab"), kubernetes="1.36", version="v1.36.3", count=1, networks=(), sysctls={})
    return planned.with_node(replace(planned.nodes[0], host_key="ssh-ed25519 AAAA"))


def test_the_stack_file_names_every_node_with_its_host_key_and_only_its_owner_reads_it(
    paths: Paths, state: LabState
) -> None:
    paths.ssh_key.parent.mkdir(parents=True)
    paths.ssh_key.write_text(KEY)
    stack.write(paths, state)
    config = yaml.safe_load(paths.stack.read_text())["config"]
    assert config["kubernetes-audit:nodes"] == [
        {"name": "cp1", "host": "10.197.0.11", "user": "ops", "hostKey": "ssh-ed25519 AAAA"}
    ]
    assert config["kubernetes-audit:sshPrivateKey"] == KEY
    assert paths.stack.stat().st_mode & 0o077 == 0


def test_pulumi_gets_a_home_and_state_of_the_lab_and_no_agent(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("PULUMI_HOME", "/elsewhere")
    variables = environment(paths)
    assert "SSH_AUTH_SOCK" not in variables
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
