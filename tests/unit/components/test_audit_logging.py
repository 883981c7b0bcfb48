"""The component for other programs: the same resources as the project's own program, below it and apart from others."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from auditlog.nodes.facts import Facts
from auditlog.settings.outputs import OUTPUTS
from auditlog.stack_file.check import check_stack_file
from components import cluster
from components.arguments import AuditLoggingArgs
from components.audit_logging import AuditLogging
from tests.unit.components.program import PRIVATE_KEY, PROJECT, STACK, Program, run_declared, run_program, stack_config
from tests.unit.plan.nodes import HOST_KEY, untouched
from tests.unit.stack_file.stack_files import FOLDER

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


def test_its_outputs_are_attributes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, pulumi.Output[Any]] = {}

    def declare() -> None:
        wanted: AuditLoggingArgs = {
            "cluster": "test",
            "nodes": [{"name": "cp1", "host": "cp1.example.com", "hostKey": HOST_KEY}],
            "policy": {"preset": "low-write"},
            "sshPrivateKey": pulumi.Output.secret(PRIVATE_KEY),
        }
        audit = AuditLogging("east", wanted)
        names.update(log_path=audit.log_path, rule_groups=audit.rule_groups, proof=audit.proof)
        for name, value in names.items():
            pulumi.export(name, value)

    outputs = run_declared(monkeypatch, declare, {"cp1": untouched()}).outputs
    assert outputs["log_path"] == "/var/log/kubernetes/audit/audit.log"
    assert outputs["rule_groups"] == {}
    assert outputs["proof"].keys() == {"cp1"}
    typed = {name for name, value in vars(AuditLogging).items() if isinstance(value, property)}
    assert {re.sub("_(.)", lambda found: found[1].upper(), name) for name in typed} == {each.name for each in OUTPUTS}


def test_two_clusters_in_one_program_share_no_name_and_no_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    def declare() -> None:
        declared("east")()
        declared("west")()

    both = run_declared(monkeypatch, declare, {"cp1": untouched()})
    east = [each for each in both.resources.values() if each.name.startswith("east")]
    west = [each for each in both.resources.values() if each.name.startswith("west")]
    assert len(east) == len(west) == len(both.resources) / 2
    for name in ("east", "west"):
        assert f"owner={PROJECT}/{STACK}/{name} " in both.resources[f"{name}-cp1-manifest"].inputs["create"]


def test_two_clusters_in_one_program_are_read_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=600)

    def answer(*_: object, **__: object) -> dict[str, Facts]:
        both.wait()
        return {"cp1": untouched()}

    def declare() -> None:
        monkeypatch.setattr(cluster, "read_nodes", answer)
        declared("east")()
        declared("west")()

    assert {"east-cp1-manifest", "west-cp1-manifest"} <= run_declared(monkeypatch, declare, DIALLED).resources.keys()


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
        ({"sshPrivateKey": PRIVATE_KEY}, "sshPrivateKey: is kept in plain text; allowed: a secret, set with "),
        (
            {"webhook": {"server": "https://siem.example.com", "token": "t"}},
            "webhook.token: is kept in plain text; allowed: ",
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


def digests(monkeypatch: pytest.MonkeyPatch, declare: Callable[[], None]) -> list[str]:
    messages = run_declared(monkeypatch, declare, {"cp1": untouched()}, preview=True).messages
    return [message.removeprefix("plan digest: ") for message in messages if message.startswith("plan digest: ")]


def test_each_component_has_a_digest_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def both() -> None:
        declared("east")()
        declared("west")()

    east, west = sorted(digests(monkeypatch, both))
    assert (east.partition("=")[0], west.partition("=")[0]) == ("east", "west")
    for written in (f"{east},{west}", f"{west} {east}"):
        monkeypatch.setenv("KUBERNETES_AUDIT_PLAN_DIGEST", written)
        run_declared(monkeypatch, both, {"cp1": untouched()})
    for written in (east, f"{east},west={'0' * 64}"):
        monkeypatch.setenv("KUBERNETES_AUDIT_PLAN_DIGEST", written)
        with pytest.raises(pulumi.RunError, match=r"not the one that was previewed.* Its digest is west="):
            run_declared(monkeypatch, both, {"cp1": untouched()})


def test_a_digest_without_a_name_is_for_every_component(monkeypatch: pytest.MonkeyPatch) -> None:
    (east,) = digests(monkeypatch, declared("east"))
    monkeypatch.setenv("KUBERNETES_AUDIT_PLAN_DIGEST", east.partition("=")[2])
    assert "east-cp1-manifest" in run_declared(monkeypatch, declared("east"), {"cp1": untouched()}).resources


def of_unknown(node: Callable[[pulumi.Output[Any]], Any]) -> Callable[[], None]:
    """A program with a node that has something unknown."""

    def declare() -> None:
        declared(nodes=[node(pulumi.Output.from_input(pulumi.UNKNOWN))])()

    return declare


def test_a_preview_that_does_not_know_a_host_compares_nothing_and_reads_no_node(
    monkeypatch: pytest.MonkeyPatch, east: Program
) -> None:
    declare = of_unknown(lambda unknown: {"name": "cp1", "host": unknown, "hostKey": unknown})
    program = run_declared(monkeypatch, declare, DIALLED, preview=True)
    places = [{(each.type, each.parent, each.name) for each in run.resources.values()} for run in (east, program)]
    assert places[0] == places[1]
    commands = [each for each in program.resources.values() if each.type == "command:remote:Command"]
    assert all({"create", "update", "connection", "stdin"} <= set(each.ignore_changes) for each in commands)
    assert program.messages == ["not previewed: nodes is not known yet; every resource is shown as it is"]


def test_a_preview_that_does_not_know_the_names_of_the_nodes_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run_declared(monkeypatch, of_unknown(lambda unknown: unknown), DIALLED, preview=True)
    assert list(program.resources) == ["east"]
    (message,) = program.messages
    assert message.startswith("not previewed: nodes is not known yet, and so the nodes' names are not.")


def test_an_update_that_does_not_know_an_argument_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    declare = of_unknown(lambda unknown: {"name": "cp1", "host": unknown, "hostKey": HOST_KEY})
    with pytest.raises(pulumi.RunError, match="nodes: not known, although this is no preview; nothing was changed"):
        run_declared(monkeypatch, declare, DIALLED)
