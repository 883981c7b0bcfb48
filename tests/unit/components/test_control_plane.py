"""Nodes that are not simply there: gone, joining, not read, given back; and the digest of what was previewed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pulumi
import pytest

from auditlog.nodes.facts import Facts
from auditlog.observe import in_cluster
from auditlog.observe.rules import RuleFile
from tests.unit.components.program import PROJECT, Program, run_program, stack_config
from tests.unit.manifest.kubeadm_files import MANIFEST
from tests.unit.plan.nodes import HOST_KEY, OWNER, POLICY, applied, remote, untouched

UNTOUCHED = {
    "connection",
    "create",
    "update",
    "delete",
    "stdin",
    "environment",
    "triggers",
    "addPreviousOutputInEnv",
    "logging",
}


def config(**cp2: Any) -> dict[str, str]:
    """A stack of cp1 and of cp2, which has these further keys."""
    nodes = [
        {"name": name, "host": f"{name}.example.com", "hostKey": HOST_KEY, "user": "ops"} for name in ("cp1", "cp2")
    ]
    nodes[1].update(cp2)
    return stack_config(nodes=nodes)


def digest(program: Program) -> str:
    (found,) = [message.partition(": ")[2] for message in program.messages if message.startswith("plan digest: ")]
    return found


def not_joined() -> Facts:
    """A machine that kubeadm join has not been run on."""
    return dataclasses.replace(
        untouched(), manifest=None, processes=(), kubeadm_config=None, kubeadm_config_error="no such file: admin.conf"
    )


def test_a_node_that_is_gone_is_kept_as_it_is_and_forgotten_without_being_dialled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = run_program(monkeypatch, config(gone=True), {"cp1": applied()})
    for name in ("cp2-scripts", "cp2-policy", "cp2-manifest"):
        resource = program.resources[name]
        assert set(resource.ignore_changes) == UNTOUCHED
        assert resource.forgotten
        assert not {"create", "update", "delete"} & set(resource.inputs)
    assert not program.resources["cp1-manifest"].forgotten
    assert program.resources["cluster-configuration"].depends_on == {"cp1-manifest"}
    assert program.outputs["nodes"]["cp2"] == {"host": "cp2.example.com", "state": "gone"}


def test_the_first_node_can_be_the_one_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = ({"name": name, "host": f"{name}.example.com", "hostKey": HOST_KEY} for name in ("cp0", "cp1"))
    program = run_program(monkeypatch, stack_config(nodes=[first | {"gone": True}, second]), {"cp1": applied()})
    assert program.resources["cluster-configuration"].inputs["connection"]["host"] == "cp1.example.com"


def test_a_gone_node_has_the_same_place_in_the_stack_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    there = run_program(monkeypatch, config(), {"cp1": applied(), "cp2": applied()})
    gone = run_program(monkeypatch, config(gone=True), {"cp1": applied()})
    places = [{(each.type, each.parent, each.name) for each in run.resources.values()} for run in (there, gone)]
    assert places[0] == places[1]


def test_a_machine_that_is_to_join_gets_the_policy_and_no_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"cp1": applied(), "cp2": not_joined()}
    program = run_program(monkeypatch, config(joining=True), facts)
    assert "cp2-manifest" not in program.resources
    policy = program.resources["cp2-policy"]
    assert policy.inputs["stdin"] == POLICY
    assert " prepare-join policy=/etc/kubernetes/audit-policy.yaml live=absent@0 " in policy.inputs["create"]
    # Once joined it is in sync: what its deletion will say must be on record before.
    assert " edits-back=yes" in policy.inputs["create"]
    assert program.outputs["nodes"]["cp2"]["state"] == "prepared to join"


def test_a_prepared_machine_is_in_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = dataclasses.replace(not_joined(), policy=remote(POLICY), owner=OWNER, scripts_sha256="0" * 64)
    program = run_program(monkeypatch, config(joining=True), {"cp1": applied(), "cp2": prepared})
    assert program.resources["cp2-policy"].ignore_changes == ("create", "update")
    assert program.resources["cp2-scripts"].ignore_changes == ("create", "update", "stdin")


def test_a_machine_without_a_manifest_that_is_not_said_to_join_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pulumi.RunError, match=r"cp2: .*not a control-plane node"):
        run_program(monkeypatch, config(), {"cp1": applied(), "cp2": not_joined()})


def test_a_preview_that_reads_no_node_compares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    there = run_program(monkeypatch, config(), {"cp1": applied(), "cp2": applied()})
    off = config() | {f"{PROJECT}:liveRead": "off"}
    unread = run_program(monkeypatch, off, AssertionError("dialled"), preview=True)
    places = [{(each.type, each.parent, each.name) for each in run.resources.values()} for run in (there, unread)]
    assert places[0] == places[1]
    commands = [each for each in unread.resources.values() if each.type == "command:remote:Command"]
    assert all(set(each.ignore_changes) == UNTOUCHED and not each.forgotten for each in commands)
    assert any("liveRead is off: cp1, cp2 not read" in message for message in unread.messages)


def test_an_up_that_would_read_no_node_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pulumi.RunError, match="liveRead is off: cp1 would be changed unread"):
        run_program(monkeypatch, stack_config() | {f"{PROJECT}:liveRead": "off"}, AssertionError("dialled"))


def test_a_stack_that_is_switched_off_declares_nothing_and_shows_the_reverse_edits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = run_program(monkeypatch, stack_config(enabled=False), {"cp1": applied()}, preview=True)
    assert program.resources == {}
    assert (program.outputs["policy"], program.outputs["nodes"]) == ({}, {}), "nothing is claimed of what is given back"
    edits = "\n".join(program.messages)
    assert "-    - --audit-log-path=/var/log/kubernetes/audit/audit.log" in edits
    assert "cp1: restart, the manifest is restored as it was before audit logging" in edits
    assert "test: kubeadm-config is restored as it was before audit logging" in edits
    order = [
        edits.index(words) for words in ("kubeadm-config is restored", "cp1: restart", "the policy file is removed")
    ]
    assert order == sorted(order)


def test_switching_off_forgets_the_nodes_that_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run_program(monkeypatch, config(gone=True) | {f"{PROJECT}:enabled": "false"}, {"cp1": applied()})
    assert all(each.forgotten for each in program.resources.values() if each.type == "command:remote:Command")
    assert set(program.resources) == {
        "node-scripts", "cp2-scripts", "audit-policy", "cp2-policy", "cp2", "cp2-manifest",
    }  # fmt: skip


def test_another_stacks_node_is_not_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    other = dataclasses.replace(applied(), owner="kubernetes-audit/other")
    with pytest.raises(pulumi.RunError, match="cp1: its audit logging belongs to the stack 'kubernetes-audit/other'"):
        run_program(monkeypatch, stack_config(enabled=False), {"cp1": other})


def renamed(entry: str | None, node_name: str, configured: str) -> tuple[dict[str, str], dict[str, Facts]]:
    """The configuration and facts of a node that this stack changed as ``entry``, and that is called otherwise now."""
    facts = dataclasses.replace(applied(), entry=entry, node_name=node_name)
    return stack_config(configured), {configured: facts}


@pytest.mark.parametrize(
    ("entry", "node_name", "configured", "former"),
    [
        ("cp1", "master-1", "master-1", "cp1"),
        (None, "cp1", "master-1", "cp1"),
        ("cp1", "cp1", "cp1", None),
        (None, "cp1", "cp1", None),
    ],
)
def test_a_renamed_node_keeps_its_resources(
    monkeypatch: pytest.MonkeyPatch, entry: str | None, node_name: str, configured: str, former: str | None
) -> None:
    program = run_program(monkeypatch, *renamed(entry, node_name, configured), preview=True)
    expected = [()] * 4 if former is None else [(f"{former}-{each}",) for each in ("scripts", "policy", "manifest")]
    found = [program.resources[f"{configured}-{each}"].aliases for each in ("scripts", "policy", "manifest")]
    assert found == expected[:3]
    assert program.resources[configured].aliases == (() if former is None else (former,))


def test_a_recorded_rename_changes_the_record_and_restarts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run_program(monkeypatch, *renamed("cp1", "master-1", "master-1"), preview=True)
    manifest = program.resources["master-1-manifest"]
    assert "record only: the node was cp1 in this stack and is master-1 from now on" in "\n".join(program.messages)
    assert "restart: " not in "\n".join(program.messages)
    assert "entry=master-1" in manifest.inputs["create"]
    assert "entry=master-1" in manifest.inputs["delete"]


def test_a_node_whose_script_does_not_report_its_name_keeps_its_commands_until_there_is_something_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = run_program(monkeypatch, stack_config(), {"cp1": applied()}).resources["cp1-manifest"]
    assert " restore-manifest written=" in kept.inputs["delete"]
    assert kept.ignore_changes == ("create", "update")
    assert f"owner={OWNER} entry=cp1" in kept.inputs["create"], "a Command that is made anew records it"
    changed = run_program(monkeypatch, stack_config(), {"cp1": untouched()}).resources["cp1-manifest"]
    assert f" restore-manifest owner={OWNER} entry=cp1 written=" in changed.inputs["delete"]


def test_a_deletion_holds_the_earlier_texts_only_where_the_nodes_scripts_cannot_do_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names, line = ("cp1-manifest", "cluster-configuration"), "kind: "
    older = run_program(monkeypatch, stack_config(), {"cp1": applied()}).resources
    assert all(line in older[name].inputs["delete"] for name in names)
    recorded = dataclasses.replace(applied(), edits_back=True)
    for facts in (untouched(), recorded):
        resources = run_program(monkeypatch, stack_config(), {"cp1": facts}).resources
        assert not any(line in resources[name].inputs["delete"] for name in names)
        assert "edits-back=yes" in resources["cp1-manifest"].inputs["create"]


def test_a_machine_under_two_names_one_of_them_gone_is_forgotten_under_that_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes = [
        {"name": "cp1", "host": "cp1.example.com", "hostKey": HOST_KEY, "gone": True},
        {"name": "master-1", "host": "cp1.example.com", "hostKey": HOST_KEY},
    ]
    facts = dataclasses.replace(applied(), entry="cp1", node_name="master-1")
    program = run_program(monkeypatch, stack_config(nodes=nodes), {"master-1": facts})
    assert program.resources["cp1-manifest"].forgotten
    assert program.resources["master-1-manifest"].aliases == ()


@pytest.mark.parametrize("enabled", [True, False])
def test_the_last_node_can_be_gone(monkeypatch: pytest.MonkeyPatch, enabled: bool) -> None:
    gone = [{"name": "cp1", "host": "cp1.example.com", "hostKey": HOST_KEY, "gone": True}]
    program = run_program(monkeypatch, stack_config(nodes=gone, enabled=enabled), {})
    commands = {each.name: each for each in program.resources.values() if each.type == "command:remote:Command"}
    assert set(commands) == {"cp1-scripts", "cp1-policy", "cp1-manifest", "cluster-configuration"}
    assert all(each.forgotten for each in commands.values())
    assert program.outputs["nodes"] == {"cp1": {"host": "cp1.example.com", "state": "gone"}}


def test_a_replacement_deletes_first_and_the_nodes_are_locked_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run_program(monkeypatch, config(), {"cp1": applied(), "cp2": untouched()})
    commands = [each for each in program.resources.values() if each.type == "command:remote:Command"]
    assert all(each.deleted_before_replaced for each in commands)
    assert program.locked == ["cp1"], "a node that the stack has not changed has nothing to keep"
    preview = run_program(monkeypatch, config(), {"cp1": applied(), "cp2": applied()}, preview=True)
    assert preview.locked == []


def test_an_up_with_the_digest_of_the_preview_goes_on_and_with_another_one_it_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    previewed = digest(run_program(monkeypatch, stack_config(), {"cp1": untouched()}, preview=True))
    monkeypatch.setenv("KUBERNETES_AUDIT_PLAN_DIGEST", previewed)
    assert "cp1-manifest" in run_program(monkeypatch, stack_config(), {"cp1": untouched()}).resources
    edited = dataclasses.replace(untouched(), manifest=remote(MANIFEST + "# by hand\n"))
    with pytest.raises(pulumi.RunError, match="not the one that was previewed; nothing was changed"):
        run_program(monkeypatch, stack_config(), {"cp1": edited})
    with pytest.raises(pulumi.RunError, match="not the one that was previewed"):
        run_program(monkeypatch, stack_config(healthTimeoutSeconds=60), {"cp1": untouched()})


def test_the_digest_of_a_removal_is_printed_and_compared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    off = stack_config(enabled=False)
    previewed = digest(run_program(monkeypatch, off, {"cp1": applied()}, preview=True))
    enabled = digest(run_program(monkeypatch, stack_config(), {"cp1": applied()}, preview=True))
    monkeypatch.setenv("KUBERNETES_AUDIT_PLAN_DIGEST", previewed)
    run_program(monkeypatch, off, {"cp1": applied()})
    monkeypatch.setenv("KUBERNETES_AUDIT_PLAN_DIGEST", enabled)
    with pytest.raises(pulumi.RunError, match="not the one that was previewed; nothing was changed"):
        run_program(monkeypatch, off, {"cp1": applied()})


def test_the_digest_names_the_texts_in_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    config = stack_config(dashboards={"mode": "configmap"}, alerts={"loki": "configmap"})
    config |= {f"{PROJECT}:kubeconfig": "clusters: []"}
    before = digest(run_program(monkeypatch, config, {"cp1": applied()}, preview=True))
    assert digest(run_program(monkeypatch, config, {"cp1": applied()}, preview=True)) == before
    monkeypatch.setattr(in_cluster, "loki_rules", lambda _: RuleFile(({"name": "of another version"},)))
    assert digest(run_program(monkeypatch, config, {"cp1": applied()}, preview=True)) != before


@pytest.mark.parametrize(
    ("more", "preview", "message"),
    [
        ({}, True, "sshPrivateKey: is missing; allowed: a private key"),
        ({"liveRead": "off"}, True, None),
        ({"reading": {"user": "auditor"}}, True, "sshReadingPrivateKey: is missing"),
        ({"reading": {"user": "auditor"}, "sshReadingPrivateKey": "k"}, True, None),
        ({"reading": {"user": "auditor"}, "sshReadingPrivateKey": "k"}, False, "sshPrivateKey: is missing"),
    ],
)
def test_a_key_is_asked_for_where_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], preview: bool, message: str | None
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    config = stack_config(**{key: value for key, value in more.items() if isinstance(value, dict)})
    del config[f"{PROJECT}:sshPrivateKey"]
    config |= {f"{PROJECT}:{key}": value for key, value in more.items() if isinstance(value, str)}
    if message is None:
        run_program(monkeypatch, config, {"cp1": applied()}, preview=preview)
    else:
        with pytest.raises(pulumi.RunError, match=message):
            run_program(monkeypatch, config, {"cp1": applied()}, preview=preview)


def test_without_a_key_in_the_configuration_none_is_kept_in_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    config = stack_config()
    del config[f"{PROJECT}:sshPrivateKey"]
    program = run_program(monkeypatch, config, {"cp1": applied()})
    assert "privateKey" not in program.resources["cp1-manifest"].inputs["connection"]


def test_a_key_that_is_kept_in_clear_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pulumi.RunError, match="sshPrivateKey: is kept in plain text; allowed: a secret"):
        run_program(monkeypatch, stack_config(), AssertionError("dialled"), in_clear=frozenset({"sshPrivateKey"}))
