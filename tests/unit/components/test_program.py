"""The wiring of the whole program: inputs, order, what is ignored, what is secret, what comes out."""

from __future__ import annotations

import dataclasses
import shlex
import subprocess
from pathlib import Path

import pulumi
import pytest

from auditlog.manifest.desired import sha256
from auditlog.nodes import node_scripts
from auditlog.nodes.fact_types import StrayManifest
from auditlog.nodes.read_nodes import ReadError
from auditlog.plan.plan import make_plan
from auditlog.settings.outputs import OUTPUTS
from tests.unit.components.program import ARRIVED, PRIVATE_KEY, Program, run_program, stack_config
from tests.unit.manifest.kubeadm_files import CLUSTER_CONFIGURATION, MANIFEST
from tests.unit.plan.nodes import HOST_KEY, OWNER, POLICY, applied, remote, settings, untouched

COMMANDS = ("cp1-scripts", "cp1-policy", "cp1-manifest", "cluster-configuration")


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch) -> Program:
    """The first ``up`` of one untouched node."""
    return run_program(monkeypatch, stack_config(), {"cp1": untouched()})


def words(program: Program, name: str, which: str = "create") -> list[str]:
    call = program.resources[name].inputs[which].split(" <<", 1)[0]
    # The look whether the script is whole comes before it.
    return shlex.split(call.rpartition(" </dev/null && ")[2])


def test_the_provider_is_started_while_the_nodes_are_read(first: Program) -> None:
    assert first.local_commands == ["exit 0"]


def test_no_provider_is_started_where_no_command_will_be_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    for config in (stack_config(enabled=False), stack_config() | {"kubernetes-audit:liveRead": "off"}):
        assert not run_program(monkeypatch, config, {"cp1": untouched()}, preview=True).local_commands


def test_every_command_belongs_to_its_component(first: Program) -> None:
    assert {(resource.parent, resource.name) for resource in first.resources.values()} == {
        ("kubernetes-audit-test", "node-scripts"),
        ("node-scripts", "cp1-scripts"),
        ("kubernetes-audit-test", "audit-policy"),
        ("audit-policy", "cp1-policy"),
        ("kubernetes-audit-test", "cp1"),
        ("cp1", "cp1-manifest"),
        ("kubernetes-audit-test", "kubeadm-config"),
        ("kubeadm-config", "cluster-configuration"),
    }


def test_files_go_to_standard_input_as_they_are(first: Program) -> None:
    plan = make_plan(settings(), POLICY, {"cp1": untouched()}, OWNER)
    assert first.resources["cp1-policy"].inputs["stdin"] == POLICY
    assert first.resources["cp1-manifest"].inputs["stdin"] == plan.nodes[0].manifest.desired
    assert first.resources["cluster-configuration"].inputs["stdin"] == plan.kubeadm_config.desired
    assert first.resources["cp1-scripts"].inputs["stdin"] == node_scripts.bundle()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_safe_to_repeat_and_says_nothing_to_the_environment(first: Program, name: str) -> None:
    inputs = first.resources[name].inputs
    assert inputs["update"] == inputs["create"]
    assert inputs["addPreviousOutputInEnv"] is False
    assert inputs["logging"] == "stdoutAndStderr"
    assert "triggers" not in inputs
    assert "environment" not in inputs


@pytest.mark.parametrize("name", COMMANDS)
def test_the_connection_is_secret_and_pins_the_host_key(first: Program, name: str) -> None:
    resource = first.resources[name]
    assert resource.secrets == {"connection"}
    connection = resource.inputs["connection"]
    assert connection["hostKey"] == HOST_KEY
    assert connection["privateKey"] == PRIVATE_KEY
    assert connection["user"] == "ops"
    assert "proxy" not in connection


def test_what_the_node_compares_before_it_writes(first: Program) -> None:
    given = dict(word.split("=", 1) for word in words(first, "cp1-manifest")[5:])
    assert given["live"] == f"{sha256(MANIFEST)}@1000"
    assert given["desired"] == sha256(first.resources["cp1-manifest"].inputs["stdin"])
    assert given["policy-live"] == "absent@0"
    assert (given["restart"], given["quarantine"]) == ("no", "none")
    assert given["policy-desired"] == sha256(POLICY)
    assert given["owner"] == OWNER
    assert given["marker"] == "yes"
    assert words(first, "cluster-configuration")[4:6] == [
        "apply-kubeadm-config",
        f"live={sha256(CLUSTER_CONFIGURATION)}@7",
    ]


def test_destroy_carries_what_it_gives_back(first: Program) -> None:
    for name, before in (("cp1-manifest", MANIFEST), ("cluster-configuration", CLUSTER_CONFIGURATION)):
        (edits,) = (
            word.removeprefix("edits=")
            for word in shlex.split(first.resources[name].inputs["delete"])
            if word.startswith("edits=")
        )
        last_input = first.resources[name].inputs["stdin"]
        made = subprocess.run(["sed", "-e", edits], input=last_input, capture_output=True, text=True, check=True).stdout
        assert made == before
        assert f"restore={sha256(before)}" in words(first, name, "delete")
        assert f"written={sha256(first.resources[name].inputs['stdin'])}" in words(first, name, "delete")


def test_nothing_is_ignored_while_something_is_to_be_done(first: Program) -> None:
    assert {first.resources[name].ignore_changes for name in COMMANDS} == {()}


def test_in_sync_only_the_texts_that_hold_what_was_read_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run_program(monkeypatch, stack_config(), {"cp1": applied()})
    assert program.resources["cp1-scripts"].ignore_changes == ("create", "update", "stdin")
    for name in COMMANDS[1:]:
        assert program.resources[name].ignore_changes == ("create", "update")


def test_drift_of_one_thing_makes_a_diff_of_that_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = dataclasses.replace(applied(), kubeadm_config=untouched().kubeadm_config)
    program = run_program(monkeypatch, stack_config(), {"cp1": facts})
    assert program.resources["cluster-configuration"].ignore_changes == ()
    assert program.resources["cp1-manifest"].ignore_changes == ("create", "update")
    assert program.resources["cp1-policy"].ignore_changes == ("create", "update")


def test_nodes_follow_one_another_and_kubeadm_config_follows_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("cp1", "cp2", "cp3")
    program = run_program(monkeypatch, stack_config(*names), dict.fromkeys(names, untouched()))
    assert program.resources["cp1-manifest"].depends_on == {"cp1-policy"}
    assert program.resources["cp2-manifest"].depends_on == {"cp2-policy", "cp1-manifest"}
    assert program.resources["cp3-manifest"].depends_on == {"cp3-policy", "cp2-manifest"}
    assert program.resources["cluster-configuration"].depends_on == {f"{name}-manifest" for name in names}
    for name in names:
        assert program.resources[f"{name}-policy"].depends_on == {f"{name}-scripts"}
        assert program.resources[f"{name}-manifest"].inputs["connection"]["host"] == f"{name}.example.com"


def test_a_bastion_is_the_proxy_of_every_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    config = stack_config(bastion={"host": "bastion.example.com", "hostKey": HOST_KEY, "port": 2222})
    program = run_program(monkeypatch, config, {"cp1": untouched()})
    for name in COMMANDS:
        proxy = program.resources[name].inputs["connection"]["proxy"]
        assert (proxy["host"], proxy["port"], proxy["hostKey"]) == ("bastion.example.com", 2222, HOST_KEY)


def test_a_manifest_with_a_password_in_it_is_secret_and_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    text = MANIFEST.replace(
        "    name: kube-apiserver\n", "    name: kube-apiserver\n    env: [{name: P, value: 'http://u:pw@proxy'}]\n", 1
    )
    facts = dataclasses.replace(untouched(), manifest=remote(text))
    program = run_program(monkeypatch, stack_config(), {"cp1": facts}, preview=True)
    assert program.resources["cp1-manifest"].secrets == {"connection", "stdin", "delete"}
    assert not any("pw@proxy" in message for message in program.messages)


def test_a_preview_shows_reasons_and_diffs_and_an_up_does_not_repeat_them(monkeypatch: pytest.MonkeyPatch) -> None:
    preview = run_program(monkeypatch, stack_config(), {"cp1": untouched()}, preview=True)
    assert any("the manifest lacks --audit-policy-file" in message for message in preview.messages)
    assert any("+++ /etc/kubernetes/audit-policy.yaml" in message for message in preview.messages)
    assert any("+++ kube-system/kubeadm-config" in message for message in preview.messages)
    assert run_program(monkeypatch, stack_config(), {"cp1": untouched()}).messages == [f"cp1: {ARRIVED.sentence}"]
    in_sync = run_program(monkeypatch, stack_config(), {"cp1": applied()}, preview=True).messages
    assert [message.partition(": ")[0] for message in in_sync] == ["plan digest"]


def test_outputs_feed_dashboards_and_people(first: Program) -> None:
    assert first.outputs["cluster"] == "test"
    assert first.outputs["logPath"] == "/var/log/kubernetes/audit/audit.log"
    assert first.outputs["policy"] == {"source": "preset low-write", "sha256": sha256(POLICY)}
    assert first.outputs["nodes"]["cp1"]["policySha256"] == sha256(POLICY)
    assert first.outputs["queries"]["whoDeleted"] == '{job="kubernetes-audit"} |= "delete" |= "NAME"'
    assert first.outputs["onNodeSearch"] == "sudo grep NAME /var/log/kubernetes/audit/audit.log"
    assert {*first.outputs, "alloy"} == {output.name for output in OUTPUTS}, "the reference has them all"


DIALLED = AssertionError("a node was dialled")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (stack_config(policy={"preset": "nothing"}), "policy.preset: is 'nothing'; allowed: one of "),
        (stack_config(policy={"file": "/nowhere.yaml"}), "policy.file '/nowhere.yaml': cannot be read: No such file"),
        ({**stack_config(), "kubernetes-audit:nodes": "[oops"}, "nodes: is '[oops'; allowed: a list with at"),
        (
            {**stack_config(), "kubernetes-audit:nodez": "[]"},
            "nodez: is not a key of the configuration, did you mean 'nodes'; ",
        ),
        ({**stack_config(), "kubernetes-audit:sshPrivateKey": ""}, "sshPrivateKey: is missing; allowed: a private key"),
    ],
)
def test_a_mistake_ends_the_program_before_any_node_is_dialled(
    monkeypatch: pytest.MonkeyPatch, config: dict[str, str], message: str
) -> None:
    with pytest.raises(pulumi.RunError) as raised:
        run_program(monkeypatch, config, DIALLED)
    assert "no node was contacted" in str(raised.value)
    assert message in str(raised.value)


def test_a_policy_that_the_api_server_would_refuse_is_refused_before_any_node_is_dialled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Everything\n")
    with pytest.raises(pulumi.RunError) as raised:
        run_program(monkeypatch, stack_config(policy={"file": str(file)}), DIALLED)
    assert "policy.yaml:4:10: " in str(raised.value)
    assert "Everything" in str(raised.value)


def test_nodes_that_cannot_be_read_or_changed_end_the_program_with_one_line_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unreachable = ReadError(["cp1 (cp1.example.com:22): no answer within 15 s"])
    with pytest.raises(pulumi.RunError, match="nothing was changed") as raised:
        run_program(monkeypatch, stack_config(), unreachable)
    assert "cp1 (cp1.example.com:22): no answer within 15 s" in str(raised.value)
    stray = dataclasses.replace(untouched(), stray_manifests=(StrayManifest("kube-apiserver.yaml.bak", 4000),))
    with pytest.raises(pulumi.RunError, match=r"kube-apiserver\.yaml\.bak in /etc/kubernetes/manifests"):
        run_program(monkeypatch, stack_config(), {"cp1": stray})


def test_while_the_api_server_does_not_answer_a_preview_shows_the_files_and_up_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = "The connection to the server 10.0.0.11:6443 was refused - did you specify the right host or port?"
    silent = dataclasses.replace(untouched(), kubeadm_config=None, kubeadm_config_error=refused)
    shown: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", lambda message, *_, **__: shown.append(message))
    for preview in (True, False):
        shown.clear()
        with pytest.raises(pulumi.RunError, match="nothing was changed") as raised:
            run_program(monkeypatch, stack_config(), {"cp1": silent}, preview=preview)
        assert "cp1: the API server does not answer, though its process has run since " in str(raised.value)
        assert any("+++ /etc/kubernetes/manifests/kube-apiserver.yaml" in message for message in shown) is preview
        assert any("+++ /etc/kubernetes/audit-policy.yaml" in message for message in shown) is preview


WEBHOOK = {"server": "https://siem.example.com/audit", "token": "hunter2"}


def test_a_webhooks_kubeconfig_is_a_secret_command_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run_program(monkeypatch, stack_config(webhook=WEBHOOK), {"cp1": untouched()}, preview=True)
    command = program.resources["cp1-webhook"]
    assert command.parent == "audit-webhook"
    assert command.secrets == {"connection", "stdin", "delete"}
    assert "token: hunter2" in command.inputs["stdin"]
    assert command.inputs["logging"] == "none"
    assert words(program, "cp1-webhook")[4:6] == ["stage-webhook", "path=/etc/kubernetes/audit-webhook.yaml"]
    assert command.depends_on == {"cp1-policy"}, "a node lets one change at a time in"
    assert program.resources["cp1-manifest"].depends_on == {"cp1-policy", "cp1-webhook"}
    given = dict(word.split("=", 1) for word in words(program, "cp1-manifest")[5:])
    assert given["webhook"] == "/etc/kubernetes/audit-webhook.yaml"
    assert given["webhook-live"] == "absent"
    assert given["webhook-desired"] == sha256(command.inputs["stdin"])
    everything = [str(other.inputs) for name, other in program.resources.items() if name != "cp1-webhook"]
    assert not any("hunter2" in text for text in [*everything, *program.messages])


def test_without_a_webhook_the_node_hears_of_none(first: Program) -> None:
    assert "cp1-webhook" not in first.resources
    assert not any("webhook" in word for word in words(first, "cp1-manifest") if not word.startswith("owned="))
