"""What a preview says besides the diffs: warnings, updates of the record alone, and what is moved out of the way."""

from __future__ import annotations

import dataclasses
import shlex

import pytest

from auditlog.manifest import manifest
from auditlog.manifest.desired import sha256
from auditlog.nodes.fact_types import KubeadmConfig, Process, StrayManifest, Written
from auditlog.nodes.facts import Facts
from auditlog.plan.reasons import KUBEADM_CONFIG_RECORD_ONLY, RECORD_ONLY
from tests.unit.components.program import Program, run_program, stack_config
from tests.unit.plan.nodes import POLICY, applied, untouched

STRAYS = (StrayManifest("kube-apiserver.yaml.bak", 4000), StrayManifest("a copy", 4001))


def preview(monkeypatch: pytest.MonkeyPatch, facts: Facts, **config: object) -> Program:
    return run_program(monkeypatch, stack_config(**config), {"cp1": facts}, preview=True)


def given(program: Program) -> dict[str, str]:
    """The arguments of the command that changes the node's manifest."""
    call = program.resources["cp1-manifest"].inputs["create"].rpartition(" && ")[2]
    return dict(word.split("=", 1) for word in shlex.split(call)[5:])


def test_a_warning_is_said_on_the_node_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    config = applied().kubeadm_config
    assert config is not None
    text = config.text.replace("  - name: oidc-client-id\n    value: kubernetes\n", "")
    facts = dataclasses.replace(applied(), kubeadm_config=KubeadmConfig(text, "9"))
    program = preview(monkeypatch, facts)
    (message,) = [message for message in program.messages if "oidc" in message]
    assert message.startswith("cp1: kubeadm-config lacks --oidc-client-id=kubernetes: the next kubeadm upgrade or join")
    assert program.resources["cp1-manifest"].ignore_changes == ("create", "update")


def test_an_update_of_the_record_alone_is_labelled(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = applied()
    assert facts.manifest is not None
    assert facts.kubeadm_config is not None
    record = Written(sha256("another"), sha256(POLICY), sha256("another"))
    program = preview(monkeypatch, dataclasses.replace(facts, written=record))
    assert [message for message in program.messages if "record only" in message] == [
        f"cp1: {RECORD_ONLY}",
        f"test: {KUBEADM_CONFIG_RECORD_ONLY}",
    ]
    current = Written(sha256(facts.manifest.text), sha256(POLICY), sha256(facts.kubeadm_config.text))
    in_sync = preview(monkeypatch, dataclasses.replace(facts, written=current))
    assert not any("record only" in message for message in in_sync.messages)


def test_stray_manifests_are_named_with_their_time_for_the_node_to_move(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = dataclasses.replace(applied(), stray_manifests=STRAYS)
    program = preview(monkeypatch, facts, quarantineStrayManifests=True)
    assert given(program)["quarantine"] == "kube-apiserver.yaml.bak@4000/a copy@4001"
    assert program.resources["cp1-manifest"].ignore_changes == ()
    assert sum("is moved to the archive" in message for message in program.messages) == 1


def test_a_process_that_must_end_is_named_with_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = applied()
    assert facts.manifest is not None
    stale = manifest.arguments(facts.manifest.text)[:-1]
    program = preview(monkeypatch, dataclasses.replace(facts, processes=(Process(7, 2500, stale),)))
    assert given(program)["restart"] == "7@2500"


def test_what_decides_is_said_first_and_in_previews_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    program = preview(monkeypatch, untouched())
    assert program.messages[0].startswith("In short: policy file and manifest of cp1 (1 of 1 node); ")
    assert not any("In short" in message for message in preview(monkeypatch, applied()).messages)
    update = run_program(monkeypatch, stack_config(), {"cp1": untouched()})
    assert not any("In short" in message for message in update.messages)
