"""The component for other programs: the same resources as the project's own program, below it and apart from others."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from auditlog.settings.check import check_stack_file
from components.audit_logging import AuditLogging
from tests.unit.apiserver.nodes import HOST_KEY, untouched
from tests.unit.components.program import PRIVATE_KEY, PROJECT, STACK, Program, run_declared, run_program, stack_config
from tests.unit.settings.stack_files import FOLDER

DIALLED = AssertionError("a node was dialled")


def arguments(**more: Any) -> dict[str, Any]:
    """What ``stack_config`` says, as arguments of the component; ``more`` are further ones."""
    config = {key.partition(":")[2]: value for key, value in stack_config().items()}
    return {
        "cluster": config["cluster"],
        "nodes": json.loads(config["nodes"]),
        "policy": json.loads(config["policy"]),
        "sshPrivateKey": pulumi.Output.secret(PRIVATE_KEY),
        **more,
    }


def declared(name: str = "east", **more: Any) -> Callable[[], None]:
    def declare() -> None:
        component = AuditLogging(name, arguments(**more))
        for output, value in component.outputs.items():
            pulumi.export(output, value)

    return declare


@pytest.fixture
def east(monkeypatch: pytest.MonkeyPatch) -> Program:
    return run_declared(monkeypatch, declared(), {"cp1": untouched()})


def test_it_has_what_the_program_has_with_its_name_before_every_other(
    monkeypatch: pytest.MonkeyPatch, east: Program
) -> None:
    program = run_program(monkeypatch, stack_config(), {"cp1": untouched()})
    stack = east.resources["east"].parent
    expected = {
        (each.type, "east" if each.parent == stack else f"east-{each.parent}", f"east-{each.name}")
        for each in program.resources.values()
    }
    found = {(each.type, each.parent, each.name) for each in east.resources.values() if each.name != "east"}
    assert found == expected
    assert east.resources["east-cp1-manifest"].inputs["stdin"] == program.resources["cp1-manifest"].inputs["stdin"]


def test_its_outputs_are_those_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run_program(monkeypatch, stack_config(), {"cp1": untouched()})
    east = run_declared(monkeypatch, declared(), {"cp1": untouched()})
    assert {key: value for key, value in east.outputs.items() if value is not None} == program.outputs


def test_two_clusters_in_one_program_share_no_name_and_no_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    def declare() -> None:
        declared("east")()
        declared("west")()

    both = run_declared(monkeypatch, declare, {"cp1": untouched()})
    east = [each for each in both.resources.values() if each.name.startswith("east")]
    west = [each for each in both.resources.values() if each.name.startswith("west")]
    assert len(east) == len(west) == len(both.resources) / 2
    for cluster in ("east", "west"):
        assert f"owner={PROJECT}/{STACK}/{cluster} " in both.resources[f"{cluster}-cp1-manifest"].inputs["create"]


def test_its_own_inputs_are_shown_without_its_secrets(east: Program) -> None:
    component = east.resources["east"]
    assert (component.type, set(component.inputs)) == (
        "kubernetes-audit:index:AuditLogging",
        {"cluster", "nodes", "policy"},
    )
    assert PRIVATE_KEY not in json.dumps(component.inputs)
    command = east.resources["east-cp1-manifest"]
    assert command.inputs["connection"]["privateKey"] == PRIVATE_KEY
    assert command.secrets == {"connection"}


def test_a_secret_among_the_arguments_makes_no_output_secret(east: Program) -> None:
    assert east.outputs["queries"]["whoDeleted"] == '{job="kubernetes-audit"} |= "delete" |= "NAME"'


def test_numbers_are_whole_again_that_travelled_as_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    node = {"name": "cp1", "host": "cp1.example.com", "hostKey": HOST_KEY, "port": 2222.0}
    program = run_declared(monkeypatch, declared(nodes=[node], healthTimeoutSeconds=60.0), {"cp1": untouched()})
    command = program.resources["east-cp1-manifest"].inputs
    assert command["connection"]["port"] == 2222
    assert " timeout=60 " in command["create"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"sshPrivateKey": PRIVATE_KEY}, "sshPrivateKey: is kept in clear; allowed: a secret, set with "),
        (
            {"webhook": {"server": "https://siem.example.com", "token": "t"}},
            "webhook.token: is kept in clear; allowed: ",
        ),
        ({"nodez": []}, "nodez: is not a key of the configuration, did you mean 'nodes'; allowed: cluster, nodes, "),
        ({"auditLog": {"maxAge": 2.5}}, "auditLog.maxAge: is 2.5; allowed: a whole number from "),
    ],
)
def test_a_mistake_is_answered_before_any_node_is_dialled(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(pulumi.RunError) as raised:
        run_declared(monkeypatch, declared(**more), DIALLED)
    assert "The configuration is wrong; no node was contacted.\n" in str(raised.value)
    assert message in str(raised.value)


def test_a_mistake_has_the_words_that_it_has_in_a_stack_file(monkeypatch: pytest.MonkeyPatch) -> None:
    file = FOLDER / "broken" / "a_batch_with_mode_blocking.yaml"
    (mistake,) = check_stack_file(file.name, file.read_text(), PROJECT, file.parent).mistakes
    with pytest.raises(pulumi.RunError) as raised:
        run_declared(monkeypatch, declared(auditLog={"mode": "blocking", "batch": {"maxSize": 5.0}}), DIALLED)
    assert mistake.message in str(raised.value)


def test_a_preview_that_does_not_know_an_argument_says_so_and_dials_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def declare() -> None:
        unknown = pulumi.Output.from_input(pulumi.UNKNOWN)
        AuditLogging("east", arguments(nodes=[{"name": "cp1", "host": unknown, "hostKey": HOST_KEY}]))

    program = run_declared(monkeypatch, declare, DIALLED, preview=True)
    assert list(program.resources) == ["east"]
    assert program.messages == ["not previewed: not all of its arguments are known before they are applied"]
