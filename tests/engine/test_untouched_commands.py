"""Commands of nodes that are gone or not read, under the real engine: nothing is compared, and nothing is dialled."""

from __future__ import annotations

from pathlib import Path

import pulumi
from pulumi_command import remote

from components.node_command import node_command, untouched_node_command
from tests.engine.engine_stack import EngineStack, Program, Step
from tests.engine.ssh_server import SshServer, serving
from tests.engine.test_command_provider_engine import connection, empty

ABSENT_HOST = remote.ConnectionArgs(host="127.0.0.1", port=1, user="root", dial_error_limit=0)


def declared(server: SshServer, text: str = "a: 1\n", hidden: tuple[str, ...] = ()) -> Program:
    def declare() -> None:
        node_command(
            "cp1-manifest",
            connection(server),
            parent=pulumi.ComponentResource("test:index:Node", "cp1"),
            depends_on=(),
            apply="cat >target",
            delete="rm target",
            stdin=text,
            ignore_changes=(),
            hide_diffs=hidden,
        )

    return declare


def untouched(*, forget: bool) -> Program:
    def declare() -> None:
        component = pulumi.ComponentResource("test:index:Node", "cp1")
        untouched_node_command("cp1-manifest", ABSENT_HOST, parent=component, forget=forget)

    return declare


def test_a_gone_node_stays_in_the_stack_unchanged_and_is_destroyed_without_being_dialled(
    engine_stack: EngineStack, tmp_path: Path
) -> None:
    with serving(tmp_path) as server:
        assert engine_stack.up(declared(server)).error is None
    kept = engine_stack.resources()["cp1-manifest"]["inputs"]
    run = engine_stack.up(untouched(forget=True))
    assert run.error is None
    assert run.of("cp1-manifest") == [Step("same", "cp1-manifest", {})]
    assert engine_stack.resources()["cp1-manifest"]["inputs"]["stdin"] == kept["stdin"]
    assert engine_stack.destroy().error is None
    assert engine_stack.resources() == {}
    assert (tmp_path / "target").read_text() == "a: 1\n", "nothing ran on the node"


def test_a_gone_node_that_leaves_the_configuration_is_forgotten(engine_stack: EngineStack, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        engine_stack.up(declared(server))
    engine_stack.up(untouched(forget=True))
    run = engine_stack.up(empty)
    assert run.error is None
    assert engine_stack.resources() == {}
    assert (tmp_path / "target").exists()


def test_without_being_gone_its_removal_dials(engine_stack: EngineStack, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        engine_stack.up(declared(server))
    engine_stack.up(untouched(forget=False))
    assert "cp1-manifest" in (engine_stack.destroy().error or "")


def test_a_text_that_is_hidden_changes_without_being_printed(engine_stack: EngineStack, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert engine_stack.up(declared(server, "the first\n", ("stdin",))).error is None
        run = engine_stack.preview(declared(server, "the second\n", ("stdin",)))
    assert run.of("cp1-manifest") == [Step("update", "cp1-manifest", {"stdin": "update"})]
    assert "the second" not in run.text


def test_a_node_that_was_never_there_is_taken_in_without_being_dialled(engine_stack: EngineStack) -> None:
    assert engine_stack.up(untouched(forget=True)).error is None
    assert engine_stack.destroy().error is None


def test_an_unread_node_shows_no_change(engine_stack: EngineStack, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        engine_stack.up(declared(server))
        run = engine_stack.preview(untouched(forget=False))
        assert run.of("cp1-manifest") == [Step("same", "cp1-manifest", {})]
        back = engine_stack.up(declared(server))
        assert back.of("cp1-manifest") == [Step("same", "cp1-manifest", {})]
