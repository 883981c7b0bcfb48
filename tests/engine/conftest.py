"""Fixtures for tests that run the real Pulumi engine, its provider plugins and an SSH server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab import build, tools
from lab.environment import package_plugin
from lab.paths import NODE_FILES, REPOSITORY, Paths
from tests.engine.engine_stack import EngineStack
from tests.engine.fake_node import FakeNode, fake_node
from tests.engine.program_stack import STACK, Run
from tests.engine.ssh_server import SshServer, serving
from tests.engine.test_stack_files import pulumi


@pytest.fixture(scope="session")
def plugin_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The provider plugins, laid out as in PULUMI_HOME/plugins: `resource-NAME-vVERSION/pulumi-resource-NAME`.

    They are the lab's own, or the official ones where those are installed and the lab has therefore built none; and
    this project's own package.
    """
    folder = tmp_path_factory.mktemp("plugins")
    for tool in tools.providers():
        own = tool.path(Paths.of())
        binary = own if own.exists() else build.official_path(tool)
        if binary is None:
            pytest.fail(f"{tool.name} is not there: run `python -m lab build --tests` first")
        link = folder / f"resource-{tool.provider}-v{tool.version}" / tool.name
        link.parent.mkdir()
        link.symlink_to(binary)
    package = package_plugin(folder)
    package.parent.mkdir()
    package.symlink_to(NODE_FILES / package.name)
    return folder


@pytest.fixture(scope="session")
def command_plugin(plugin_directory: Path) -> Path:
    """The program of the command provider."""
    return plugin_directory / "resource-command-v1.2.1" / "pulumi-resource-command"


@pytest.fixture
def engine_environment(tmp_path: Path, plugin_directory: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Environment variables for a Pulumi CLI that keeps everything under the test's own folder.

    State goes to a file backend and plugins come from `plugin_directory` alone. The variables are set for the test's
    own process too, because the Automation API looks there for the CLI.
    """
    home, state = tmp_path / "pulumi-home", tmp_path / "pulumi-state"
    home.mkdir()
    state.mkdir()
    (home / "plugins").symlink_to(plugin_directory)
    environment = {
        "PATH": f"{Paths.of().bin}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "passphrase of a test",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
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


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    """A control-plane node as kubeadm left it."""
    return fake_node(tmp_path / "node", monkeypatch)


@pytest.fixture
def server(tmp_path: Path, node: FakeNode) -> Iterator[SshServer]:  # noqa: ARG001
    """An SSH server on loopback by which one logs in to the node."""
    with serving(tmp_path) as started:
        yield started


@pytest.fixture
def stack_file(tmp_path: Path, server: SshServer, engine_environment: dict[str, str]) -> Path:
    """The stack file of a new stack of this project, with the node."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "kubernetes-audit", "runtime": "python"}))
    node = {"name": "cp1", "host": server.host, "port": server.port, "user": "ops", "hostKey": server.host_key}
    # On a node without an API server nothing can be proved.
    config = {"cluster": "test", "nodes": [node], "policy": {"preset": "low-write"}, "proof": {"enabled": False}}
    file = folder / "Pulumi.test.yaml"
    assert pulumi(folder, engine_environment, "stack", "init", "test").returncode == 0
    file.write_text(file.read_text() + yaml.safe_dump({"config": config}))
    key = pulumi(folder, engine_environment, "config", "set", "--secret", "sshPrivateKey", given=server.private_key)
    assert key.returncode == 0, key.stdout
    return file


@pytest.fixture
def run(stack_file: Path, engine_environment: dict[str, str]) -> Run:
    """Runs ``pulumi`` on the stack, which succeeds; gives what it printed."""

    def run(*words: str) -> str:
        file = () if words[0] in ("state", "stack", "cancel") else ("--config-file", str(stack_file))
        result = pulumi(REPOSITORY, engine_environment, *words, "--stack", STACK, *file)
        assert result.returncode == 0, result.stdout
        return result.stdout

    return run
