"""When a tool is built: not where it is current, nor where the official one is installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.build import is_current, official_path, parse_go_version
from lab.paths import REPOSITORY, Paths
from lab.tools import Tool, build_key, module_files, node_tools, pulumi_tools

PAUSE = node_tools("1.36")[0]
PULUMI = pulumi_tools()[0]
COMMAND_PROVIDER = next(tool for tool in pulumi_tools() if tool.provider == "command")


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No Pulumi on PATH and none in the user's folder."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))


def test_a_tool_is_current_only_with_program_and_key(tmp_path: Path) -> None:
    paths = Paths(root=tmp_path, bin=tmp_path / "built")
    key = tmp_path / "built" / "keys" / "pause"
    assert not is_current(paths, PAUSE)
    program(tmp_path / "built" / "pause")
    assert not is_current(paths, PAUSE)
    key.parent.mkdir()
    key.write_text(build_key(PAUSE, module_files(PAUSE)))
    assert is_current(paths, PAUSE)
    key.write_text("of another source")
    assert not is_current(paths, PAUSE)


def test_an_official_program_on_the_path_is_used(tmp_path: Path) -> None:
    assert official_path(PULUMI) is None
    installed = program(tmp_path / "bin" / "pulumi")
    assert official_path(PULUMI) == installed
    assert is_current(Paths(root=tmp_path, bin=tmp_path / "built"), PULUMI)


def test_an_official_provider_in_the_users_plugin_folder_is_used_in_its_version_only(tmp_path: Path) -> None:
    plugins = tmp_path / "home" / "plugins"
    program(plugins / "resource-command-v0.9.0" / "pulumi-resource-command")
    assert official_path(COMMAND_PROVIDER) is None
    installed = program(plugins / "resource-command-v1.2.1" / "pulumi-resource-command")
    assert official_path(COMMAND_PROVIDER) == installed


def test_our_own_build_on_the_path_is_not_taken_for_an_official_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(REPOSITORY / ".lab/bin"), str(REPOSITORY / ".venv/bin")]))
    assert official_path(PULUMI) is None


def test_a_tool_without_an_official_release_is_never_looked_up(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "pause")
    assert official_path(Tool(name="pause", module="pause", package=".")) is None


@pytest.mark.parametrize(
    ("text", "version"), [("go1.26.4\n", (1, 26, 4)), ("go1.27", (1, 27)), ("devel +abc", ()), ("", ())]
)
def test_go_versions(text: str, version: tuple[int, ...]) -> None:
    assert parse_go_version(text) == version
