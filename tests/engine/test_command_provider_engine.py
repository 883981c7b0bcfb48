"""What a stack with the lab's command plugin does under the real engine: the behaviour the program counts on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi_command import local, remote

from tests.engine.engine_stack import EngineStack, Program, Step
from tests.engine.ssh_server import SshServer, serving

_CREATE = "cat > target; echo created"
_UPDATE = "cat > target; echo updated"
_DELETE = "rm -f target; echo deleted"


def connection(server: SshServer, **changed: Any) -> remote.ConnectionArgs:
    settings: dict[str, Any] = {
        "host": server.host,
        "port": server.port,
        "user": "root",
        "private_key": server.private_key,
        "host_key": server.host_key,
        "dial_error_limit": 0,
    }
    return remote.ConnectionArgs(**(settings | changed))


def program(server: SshServer, options: pulumi.ResourceOptions | None = None, **changed: Any) -> Program:
    """A program with one Command called node: create, update, delete and a YAML stdin, with inputs changed."""

    def declare() -> None:
        inputs: dict[str, Any] = {
            "connection": connection(server),
            "create": _CREATE,
            "update": _UPDATE,
            "delete": _DELETE,
            "stdin": "a: 1\nb: 2\n",
            "add_previous_output_in_env": False,
        }
        command = remote.Command("node", opts=options, **(inputs | changed))
        pulumi.export("stdout", command.stdout)

    return declare


def empty() -> None:
    pulumi.export("stdout", "none")


def target(server: SshServer) -> Path:
    return server.folder / "target"


def test_create_runs_once_and_an_unchanged_program_shows_no_change(
    engine_stack: EngineStack, ssh_server: SshServer
) -> None:
    created = engine_stack.up(program(ssh_server))
    assert created.error is None
    assert target(ssh_server).read_text() == "a: 1\nb: 2\n"
    assert engine_stack.resources()["node"]["outputs"]["stdout"] == "created"

    again = engine_stack.preview(program(ssh_server))
    assert again.of("node") == [Step("same", "node", {})]
    assert engine_stack.up(program(ssh_server)).error is None
    assert ssh_server.commands() == [_CREATE]


def test_preview_does_not_dial(engine_stack: EngineStack, ssh_server: SshServer) -> None:
    nobody = connection(ssh_server, port=1, private_key="no key at all")
    assert engine_stack.preview(program(ssh_server, connection=nobody)).error is None
    assert engine_stack.up(program(ssh_server)).error is None
    assert engine_stack.preview(program(ssh_server, connection=nobody)).error is None
    assert ssh_server.commands() == [_CREATE]


def test_changed_stdin_previews_as_a_diff_of_the_yaml(engine_stack: EngineStack, ssh_server: SshServer) -> None:
    engine_stack.up(program(ssh_server))
    changed = program(ssh_server, stdin="a: 1\nb: 3\n")
    preview = engine_stack.preview(changed)
    assert preview.of("node") == [Step("update", "node", {"stdin": "update"})]
    printed = [line.strip() for line in preview.text.splitlines()]
    assert "~ stdin: (yaml) {" in printed
    assert "~ b: 2 => 3" in printed

    assert engine_stack.up(changed).error is None
    assert target(ssh_server).read_text() == "a: 1\nb: 3\n"
    assert ssh_server.commands() == [_CREATE, _UPDATE]


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"delete": "true"}, "delete"),
        ({"logging": remote.Logging.NONE}, "logging"),
        ({"add_previous_output_in_env": True}, "addPreviousOutputInEnv"),
        ({"environment": {"LANG": "C"}}, "environment"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_any_changed_input_runs_update(
    changed: dict[str, Any], path: str, engine_stack: EngineStack, ssh_server: SshServer
) -> None:
    ssh_server.accepted_variables.update({"LANG", "PULUMI_COMMAND_STDOUT"})
    engine_stack.up(program(ssh_server))
    run = engine_stack.up(program(ssh_server, **changed))
    assert run.error is None
    (step,) = run.of("node")
    assert (step.operation, list(step.diff)) == ("update", [path])
    assert ssh_server.commands() == [_CREATE, _UPDATE]


def test_changed_host_updates_the_new_one_and_leaves_the_old_one_alone(
    engine_stack: EngineStack, ssh_server: SshServer, tmp_path: Path
) -> None:
    engine_stack.up(program(ssh_server))
    (tmp_path / "second").mkdir()
    with serving(tmp_path / "second") as second:
        run = engine_stack.up(program(second))
        assert run.error is None
        assert run.of("node") == [Step("update", "node", {"connection": "update"})]
        assert second.commands() == [_UPDATE]
    assert ssh_server.commands() == [_CREATE]


def test_failed_update_leaves_the_old_state_and_runs_again(engine_stack: EngineStack, ssh_server: SshServer) -> None:
    engine_stack.up(program(ssh_server))
    before = engine_stack.resources()["node"]
    failing = program(ssh_server, update="echo partial; echo why >&2; exit 3", stdin="a: 9\n")
    failed = engine_stack.up(failing)
    assert failed.error is not None
    (message,) = [text for text in failed.messages("error") if "Process exited" in text]
    head, *printed = message.splitlines()
    assert head == 'Process exited with status 3: running "echo partial; echo why >&2; exit 3":'
    assert printed
    assert set(printed) <= {"partial", "why"}, "the official plugin loses lines where both streams are used"
    after = engine_stack.resources()["node"]
    for half in ("inputs", "outputs"):
        del before[half]["connection"], after[half]["connection"]  # encrypted anew each time
        assert after[half] == before[half]

    assert engine_stack.preview(failing).of("node") == [Step("update", "node", {"stdin": "update", "update": "update"})]


def test_failed_create_leaves_nothing_and_is_never_deleted(engine_stack: EngineStack, ssh_server: SshServer) -> None:
    failed = engine_stack.up(program(ssh_server, create="echo half; exit 4"))
    assert failed.error is not None
    assert engine_stack.resources() == {}
    assert engine_stack.destroy().error is None
    assert ssh_server.commands() == ["echo half; exit 4"]


def test_changed_triggers_replace_and_the_old_delete_runs_last(
    engine_stack: EngineStack, ssh_server: SshServer
) -> None:
    engine_stack.up(program(ssh_server, triggers=["x"]))
    run = engine_stack.up(program(ssh_server, triggers=["y"], delete="echo never"))
    assert run.error is None
    assert [step.operation for step in run.of("node")] == ["create-replacement", "replace", "delete-replaced"]
    assert ssh_server.commands() == [_CREATE, _CREATE, _DELETE]
    assert not target(ssh_server).exists()


def test_delete_uses_the_text_stdin_and_connection_of_the_state(
    engine_stack: EngineStack, ssh_server: SshServer
) -> None:
    engine_stack.up(program(ssh_server, delete="cat > deleted"))
    run = engine_stack.up(empty)
    assert run.error is None
    assert run.of("node") == [Step("delete", "node", {})]
    assert (ssh_server.folder / "deleted").read_text() == "a: 1\nb: 2\n"


def test_destroy_runs_delete_without_the_program(engine_stack: EngineStack, ssh_server: SshServer) -> None:
    engine_stack.up(program(ssh_server))
    assert engine_stack.destroy().error is None
    assert ssh_server.commands() == [_CREATE, _DELETE]
    assert engine_stack.resources() == {}


def test_unset_commands(engine_stack: EngineStack, ssh_server: SshServer) -> None:
    """create unset runs nothing, update unset runs create, delete unset runs nothing."""
    engine_stack.up(program(ssh_server, create=None, update=None, delete=None))
    assert ssh_server.commands() == []
    engine_stack.up(program(ssh_server, update=None, delete=None))
    assert ssh_server.commands() == [_CREATE]
    engine_stack.up(program(ssh_server, update=None, delete=None, stdin="a: 2\n"))
    assert ssh_server.commands() == [_CREATE, _CREATE]
    engine_stack.up(empty)
    assert ssh_server.commands() == [_CREATE, _CREATE]
    assert engine_stack.resources() == {}


def test_refused_environment_fails_and_nothing_runs(engine_stack: EngineStack, ssh_server: SshServer) -> None:
    run = engine_stack.up(program(ssh_server, environment={"FOO": "bar"}))
    assert run.error is not None
    assert any(
        text.startswith('could not set environment variable "FOO": ssh: setenv failed')
        for text in run.messages("error")
    )
    assert ssh_server.commands() == []


def test_previous_output_is_sent_by_default_and_its_refusal_is_a_warning(
    engine_stack: EngineStack, ssh_server: SshServer
) -> None:
    ssh_server.accepted_variables.add("PULUMI_COMMAND_STDOUT")
    engine_stack.up(program(ssh_server, add_previous_output_in_env=None))
    engine_stack.up(program(ssh_server, add_previous_output_in_env=None, stdin="a: 2\n"))
    assert ssh_server.executions[-1].environment == {"PULUMI_COMMAND_STDOUT": "created"}

    ssh_server.accepted_variables.clear()
    refused = engine_stack.up(program(ssh_server, add_previous_output_in_env=None, stdin="a: 3\n"))
    assert refused.error is None
    assert any("PULUMI_COMMAND_STDOUT" in text for text in refused.messages("warning"))
    assert ssh_server.executions[-1].environment == {}


@pytest.mark.parametrize(
    ("logging", "shown"),
    [(None, ["err", "out"]), (remote.Logging.STDERR, ["err"]), (remote.Logging.NONE, [])],
    ids=["unset", "stderr", "none"],
)
def test_output_is_shown_as_status_according_to_logging(
    logging: remote.Logging | None, shown: list[str], engine_stack: EngineStack, ssh_server: SshServer
) -> None:
    run = engine_stack.up(program(ssh_server, create="echo out; echo err >&2", logging=logging))
    assert sorted(text for text in run.messages("info", status=True) if text in {"out", "err"}) == shown
    outputs = engine_stack.resources()["node"]["outputs"]
    assert (outputs["stdout"], outputs["stderr"]) == ("out", "err")


def test_stdout_is_unknown_in_a_preview_that_changes_a_known_input_only(
    engine_stack: EngineStack, ssh_server: SshServer
) -> None:
    """An input the state did not have leaves the old stdout known: an apply sees stale text in such a preview."""
    seen: list[str] = []

    def watched(**changed: Any) -> Program:
        def declare() -> None:
            inputs: dict[str, Any] = {"connection": connection(ssh_server), "create": _CREATE, "stdin": "a: 1\n"}
            command = remote.Command("node", **(inputs | changed))
            command.stdout.apply(seen.append)

        return declare

    engine_stack.preview(watched())
    assert seen == []
    engine_stack.up(watched())
    assert seen == ["created"]
    engine_stack.preview(watched(stdin="a: 2\n"))
    assert seen == ["created"]
    engine_stack.preview(watched(update=_UPDATE))
    assert seen == ["created", "created"]


def test_connection_is_secret_in_state_and_preview(engine_stack: EngineStack, ssh_server: SshServer) -> None:
    preview = engine_stack.preview(program(ssh_server))
    assert "connection            : [secret]" in preview.text
    assert engine_stack.up(program(ssh_server)).error is None
    node = engine_stack.resources()["node"]
    for properties in (node["inputs"], node["outputs"]):
        assert "ciphertext" in properties["connection"]
    assert ssh_server.private_key.splitlines()[1] not in json.dumps(node)


def test_secret_stdin_has_no_readable_diff_and_stdout_stays_plain(
    engine_stack: EngineStack, ssh_server: SshServer
) -> None:
    def with_secret(stdin: str) -> Program:
        return lambda: program(ssh_server, stdin=pulumi.Output.secret(stdin), create="cat")()

    engine_stack.up(with_secret("a: 1\n"))
    preview = engine_stack.preview(with_secret("a: 2\n"))
    assert "~ stdin: [secret] => [secret]" in [line.strip() for line in preview.text.splitlines()]
    outputs = engine_stack.resources()["node"]["outputs"]
    assert "ciphertext" in outputs["stdin"]
    assert outputs["stdout"] == "a: 1"


def test_proxy_tunnels_to_the_node(engine_stack: EngineStack, ssh_server: SshServer, tmp_path: Path) -> None:
    (tmp_path / "bastion").mkdir()
    with serving(tmp_path / "bastion") as bastion:
        proxy = remote.ProxyConnectionArgs(
            host=bastion.host, port=bastion.port, private_key=bastion.private_key, host_key=bastion.host_key
        )
        run = engine_stack.up(program(ssh_server, connection=connection(ssh_server, proxy=proxy)))
        assert run.error is None
        assert bastion.tunnels == [f"127.0.0.1:{ssh_server.port}"]
        assert bastion.commands() == []
    assert ssh_server.commands() == [_CREATE]


def test_refresh_does_not_see_drift(engine_stack: EngineStack, ssh_server: SshServer) -> None:
    engine_stack.up(program(ssh_server))
    target(ssh_server).write_text("edited by hand\n")
    run = engine_stack.refresh()
    assert run.error is None
    assert engine_stack.preview(program(ssh_server)).of("node") == [Step("same", "node", {})]
    assert ssh_server.commands() == [_CREATE]


def test_drift_shows_as_a_diff_of_a_token_in_the_command_text(engine_stack: EngineStack, ssh_server: SshServer) -> None:
    """How the program shows drift: a token of the live file in create and update, ignored while live is desired."""
    desired = "a: 1\n"

    def reading_the_node() -> Program:
        live = target(ssh_server).read_text() if target(ssh_server).exists() else ""
        changed_at = target(ssh_server).stat().st_ctime_ns if live else 0
        token = f"EXPECT={hashlib.sha256(live.encode()).hexdigest()}@{changed_at}"
        script = f"{token}\ncat > target"
        ignored = ["create", "update"] if live == desired else []
        options = pulumi.ResourceOptions(ignore_changes=ignored)
        return program(ssh_server, options, create=script, update=script, stdin=desired)

    assert engine_stack.up(reading_the_node()).error is None
    assert engine_stack.preview(reading_the_node()).of("node") == [Step("same", "node", {})]

    drifted = {"create": "update", "update": "update"}
    for _ in range(2):
        target(ssh_server).write_text("a: 7\n")
        assert engine_stack.preview(reading_the_node()).of("node") == [Step("update", "node", drifted)]
        assert engine_stack.up(reading_the_node()).error is None
        assert target(ssh_server).read_text() == desired
        assert engine_stack.preview(reading_the_node()).of("node") == [Step("same", "node", {})]
    assert len(ssh_server.commands()) == 3


def local_program(folder: Path, **changed: Any) -> Program:
    """A program with one local Command called here, which writes and removes a file of the folder."""

    def declare() -> None:
        inputs: dict[str, Any] = {
            "create": 'cat > "$PLACE/target"; echo "created with $PLACE_SECRET" > "$PLACE/said"',
            "update": 'cat > "$PLACE/target"',
            "delete": 'rm "$PLACE/target"; cat > "$PLACE/at-the-end"',
            "stdin": "a: 1\n",
            "environment": {"PLACE": str(folder), "PLACE_SECRET": pulumi.Output.secret("hush-hush")},
            "add_previous_output_in_env": False,
        }
        local.Command("here", **(inputs | changed))

    return declare


def test_local_commands_run_here_with_stdin_and_environment(engine_stack: EngineStack, tmp_path: Path) -> None:
    assert engine_stack.preview(local_program(tmp_path)).error is None
    assert not (tmp_path / "target").exists()
    assert engine_stack.up(local_program(tmp_path)).error is None
    assert (tmp_path / "target").read_text() == "a: 1\n"
    assert (tmp_path / "said").read_text() == "created with hush-hush\n"
    assert engine_stack.preview(local_program(tmp_path)).of("here") == [Step("same", "here", {})]
    assert engine_stack.up(local_program(tmp_path, stdin="a: 2\n")).error is None
    assert (tmp_path / "target").read_text() == "a: 2\n"
    assert engine_stack.destroy().error is None
    assert not (tmp_path / "target").exists()
    assert (tmp_path / "at-the-end").read_text() == "a: 2\n", "with the stdin of the state"


def test_a_failed_local_command_leaves_the_old_state(engine_stack: EngineStack, tmp_path: Path) -> None:
    assert engine_stack.up(local_program(tmp_path)).error is None
    failed = engine_stack.up(local_program(tmp_path, update="echo so-it-is >&2; exit 3"))
    assert failed.error is not None
    assert 'exit status 3: running "echo so-it-is >&2; exit 3":' in failed.error
    assert failed.error.count("so-it-is") > 1, "what it printed"
    assert engine_stack.preview(local_program(tmp_path)).of("here") == [Step("same", "here", {})]


def test_a_secret_variable_of_a_local_command_stays_secret(engine_stack: EngineStack, tmp_path: Path) -> None:
    run = engine_stack.up(local_program(tmp_path))
    assert run.error is None
    changed = engine_stack.preview(local_program(tmp_path, environment={"PLACE": str(tmp_path)}))
    assert "hush-hush" not in engine_stack.state() + run.text + changed.text
    assert engine_stack.resources()["here"]["inputs"]["environment"]["PLACE"] == str(tmp_path)
