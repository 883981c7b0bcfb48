"""`fleet status` on SSH servers that answer with recorded facts."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from auditlog.cli import main
from tests.engine.ssh_server import new_key, serving
from tests.unit.fleet.clusters import PROJECT, stack_file, states
from tests.unit.nodes.facts_output import facts_output

STATES = ("well", "off", "drifted", "old", "unreachable")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with a stack for each state, called like it."""
    commands = tmp_path / "commands"
    commands.mkdir()
    (commands / "sudo").write_text("#!/bin/sh\ncat >/dev/null\ncat facts\n")
    (commands / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Pulumi.yaml").write_text(f"name: {PROJECT}\n")
    key = new_key()
    (tmp_path / "key").write_bytes(key.export_private_key())
    words = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()
    with contextlib.ExitStack() as started:
        for state in STATES:
            facts, folder, port, host_key = states(state)[state], tmp_path / state, 9, " ".join(words[:2])
            if facts is not None:
                folder.mkdir()
                (folder / "facts").write_text(facts_output(facts))
                server = started.enter_context(serving(folder, key))
                port, host_key = server.port, server.host_key
            (tmp_path / f"Pulumi.{state}.yaml").write_text(stack_file(state, host_key, port))
        yield tmp_path


def test_every_stack_of_the_project_has_a_row(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "Pulumi.wrong.yaml").write_text("config:\n  cluster: [\n")
    page = project / "page.html"
    code = main(["fleet", "status", "--identity", "key", "--page", str(page), "-o", "json"])
    assert code == 1
    clusters = {each["stack"]: each for each in json.loads(capsys.readouterr().out)["clusters"]}
    assert {*clusters} == {*STATES, "wrong"}
    assert clusters["well"]["findings"] == []
    assert clusters["well"]["secondsSinceLastEvent"] == 4
    assert clusters["off"]["audit"] == "off"
    assert clusters["drifted"]["drift"] == "drifted"
    assert clusters["old"]["nodesWithOldScripts"] == ["cp1"]
    assert clusters["unreachable"]["audit"] is None
    assert "cp1 (127.0.0.1:9)" in clusters["unreachable"]["problems"][0]
    assert "stack" in clusters["wrong"]["problems"][0]
    assert page.read_text().count("<tr") > len(clusters)


@pytest.mark.parametrize(("stacks", "code"), [(["well"], 0), (["well", "unreachable"], 2), (["Pulumi.off.yaml"], 1)])
def test_the_exit_code_is_for_a_schedule(
    project: Path, capsys: pytest.CaptureFixture[str], stacks: list[str], code: int
) -> None:
    assert main(["fleet", "status", "--identity", str(project / "key"), *stacks]) == code
    assert capsys.readouterr().out.startswith("CLUSTER")


@pytest.mark.usefixtures("project")
def test_one_at_a_time_gives_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fleet", "status", "--identity", "key", "-o", "json"]
    main(words)
    all_at_once = capsys.readouterr().out
    main([*words, "--at-once", "1"])
    assert capsys.readouterr().out == all_at_once
    assert main([*words, "--at-once", "-1"]) == 2
