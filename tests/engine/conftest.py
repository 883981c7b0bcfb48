"""Fixtures for tests that run the real Pulumi engine, its provider plugins and an SSH server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.engine_stack import EngineStack
from tests.engine.ssh_server import SshServer, serving

_TOOLS = Path(__file__).parents[2] / ".lab" / "bin"


@pytest.fixture(scope="session")
def plugin_directory() -> Path:
    """The folder the lab builds the Pulumi CLI and the provider plugins into."""
    if not _TOOLS.is_dir():
        pytest.fail("the folder .lab/bin does not exist: run `python -m lab build` first")
    return _TOOLS


@pytest.fixture
def engine_environment(tmp_path: Path, plugin_directory: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Environment variables for a Pulumi CLI that keeps everything under the test's own folder.

    State goes to a file backend, plugins are found on PATH and nothing is downloaded. The variables are set for
    the test's own process too, because the Automation API looks there for the CLI.
    """
    home, state = tmp_path / "pulumi-home", tmp_path / "pulumi-state"
    home.mkdir()
    state.mkdir()
    environment = {
        "PATH": f"{plugin_directory}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "passphrase of a test",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "SSH_AUTH_SOCK": "",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.fixture
def engine_stack(tmp_path: Path, engine_environment: dict[str, str]) -> EngineStack:
    """An empty stack of the real engine."""
    work_directory = tmp_path / "project"
    work_directory.mkdir()
    return EngineStack(work_directory, engine_environment)


@pytest.fixture
def ssh_server(tmp_path: Path) -> Iterator[SshServer]:
    """An SSH server on loopback that runs commands in a folder of the test's own."""
    folder = tmp_path / "ssh-server"
    folder.mkdir()
    with serving(folder) as server:
        yield server
