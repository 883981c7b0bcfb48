"""What ``up`` makes of the proof, and what previews show of it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pulumi
import pytest

from auditlog.plan.reasons import PROOF_AGAIN, PROOF_OWED
from auditlog.proof.verdict import Failure, Proven
from tests.unit.components.program import ARRIVED, run_program, stack_config
from tests.unit.plan.nodes import applied, untouched

KUBECONFIG = {"kubernetes-audit:kubeconfig": "clusters: []"}
SILENT = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "None"}]}
LOKI = {"loki": {"url": "https://loki.example.com"}}


def test_up_ends_with_the_proof_of_each_node(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run_program(monkeypatch, stack_config("cp1", "cp2"), {name: untouched() for name in ("cp1", "cp2")})
    assert program.outputs["proof"] == {"cp1": ARRIVED.outputs(), "cp2": ARRIVED.outputs()}
    assert program.messages == [f"cp1: {ARRIVED.sentence}", f"cp2: {ARRIVED.sentence}"]


def test_a_preview_shows_the_last_proof_as_it_stands_in_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = dataclasses.replace(applied(), proof=json.dumps(ARRIVED.outputs()))
    failure = Failure("it stopped")
    program = run_program(monkeypatch, stack_config(), {"cp1": facts}, preview=True, proven=failure)
    assert program.outputs["proof"] == {"cp1": ARRIVED.outputs()}


def test_a_preview_does_not_know_the_proof_of_a_node_that_up_will_change(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"cp1": untouched(), "cp2": dataclasses.replace(applied(), proof=json.dumps(ARRIVED.outputs()))}
    program = run_program(monkeypatch, stack_config("cp1", "cp2"), facts, preview=True)
    assert program.outputs["proof"]["cp1"] is pulumi.UNKNOWN
    assert program.outputs["proof"]["cp2"] == ARRIVED.outputs()


def test_up_proves_the_nodes_that_it_changes_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Proven("e0", "2025-01-01T00:00:00+00:00", "/var/log/audit.log", 1).outputs()
    facts = {"cp1": untouched(), "cp2": dataclasses.replace(applied(), proof=json.dumps(kept)), "cp3": applied()}
    program = run_program(monkeypatch, stack_config("cp1", "cp2", "cp3"), facts)
    proof = program.outputs["proof"]
    assert (proof["cp1"], proof["cp2"]) == (ARRIVED.outputs(), kept)
    assert proof["cp3"] == {"notProven": "no update that changed the node has made the proof yet"}
    assert program.messages == [f"cp1: {ARRIVED.sentence}"]


def test_a_change_of_alloy_proves_every_node(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {**stack_config("cp1", "cp2", **LOKI, alloy={"mode": "snippet"}), **KUBECONFIG}
    program = run_program(monkeypatch, config, {name: applied() for name in ("cp1", "cp2")})
    assert program.outputs["proof"] == {"cp1": ARRIVED.outputs(), "cp2": ARRIVED.outputs()}


def test_a_proof_that_failed_is_made_again_and_the_preview_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    note = json.dumps(Failure("it stopped", at="2026-01-01T00:00:00+00:00").outputs())
    facts = {"cp1": dataclasses.replace(applied(), proof=note)}
    preview = run_program(monkeypatch, stack_config(), facts, preview=True)
    assert f"cp1: {PROOF_AGAIN}" in preview.messages
    assert not any("restart" in message for message in preview.messages)
    again = run_program(monkeypatch, stack_config(), facts)
    assert again.outputs["proof"] == {"cp1": ARRIVED.outputs()}
    later = json.dumps(Failure("it stopped", at="2026-01-02T00:00:00+00:00").outputs())
    twice = run_program(monkeypatch, stack_config(), {"cp1": dataclasses.replace(applied(), proof=later)})
    texts = [run.resources["cp1-manifest"].inputs["create"] for run in (again, twice)]
    assert texts[0] != texts[1], "each failure is a difference of its own"
    off = run_program(monkeypatch, stack_config(proof={"enabled": False}), facts, preview=True)
    assert off.resources["cp1-manifest"].ignore_changes == ("create", "update")


def test_an_update_that_no_proof_followed_is_proven_and_the_preview_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    arrived = json.dumps(ARRIVED.outputs())
    facts = {"cp1": dataclasses.replace(applied(), proof=arrived, unproven="1 7"), "cp2": applied()}
    config = stack_config("cp1", "cp2")
    preview = run_program(monkeypatch, config, facts, preview=True)
    assert [message for message in preview.messages if PROOF_OWED in message] == [f"cp1: {PROOF_OWED}"]
    ignored = [preview.resources[f"{node}-manifest"].ignore_changes for node in facts]
    assert ignored == [(), ("create", "update")]
    later = {"cp1": dataclasses.replace(facts["cp1"], unproven="2 8"), "cp2": applied()}
    texts = [
        run_program(monkeypatch, config, each).resources["cp1-manifest"].inputs["create"] for each in (facts, later)
    ]
    assert texts[0] != texts[1], "one that was cut off again is a difference of its own"


@pytest.mark.parametrize("settings", [{"proof": {"enabled": False}}, {"auditLog": {"format": "legacy"}}])
def test_none_is_due_where_none_can_be_made(monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]) -> None:
    facts = {"cp1": dataclasses.replace(applied(), unproven="1 7")}
    preview = run_program(monkeypatch, stack_config(**settings), facts, preview=True)
    assert not any(PROOF_OWED in message for message in preview.messages)


def test_a_proof_that_fails_fails_the_update_with_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = Failure("it stopped")
    with pytest.raises(pulumi.RunError, match=r"the nodes stay as they are now\.\ncp1: it stopped"):
        run_program(monkeypatch, stack_config(), {"cp1": untouched()}, proven=failure)


def test_one_that_may_well_fail_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {**stack_config(**LOKI, alloy={"mode": "snippet"}), **KUBECONFIG}
    program = run_program(monkeypatch, config, {"cp1": untouched()}, proven=Failure("not merged yet", expected=True))
    assert program.outputs["proof"] == {"cp1": {"notProven": "not merged yet"}}
    assert program.messages == ["cp1: not merged yet"]


@pytest.mark.parametrize("preview", [True, False])
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"policy": {"inline": SILENT}}, "the policy drops every request"),
        ({"auditLog": {"format": "legacy"}}, "the format of the log is legacy"),
        (
            {"auditLog": {"enabled": False}, "webhook": {"server": "https://siem.example.com"}},
            "events go to the webhook alone",
        ),
    ],
)
def test_where_nothing_can_be_found_preview_and_up_say_the_same(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], reason: str, preview: bool
) -> None:
    failure = Failure("it was tried")
    program = run_program(monkeypatch, stack_config(**settings), {"cp1": untouched()}, preview=preview, proven=failure)
    assert program.outputs["proof"]["cp1"]["notProven"].startswith(reason)
    assert any(f"up does not prove that events arrive: {reason}" in message for message in program.messages)


def test_a_preview_that_reads_no_node_does_not_know_it(monkeypatch: pytest.MonkeyPatch) -> None:
    config = stack_config("cp1", "cp2") | {"kubernetes-audit:liveRead": "off"}
    program = run_program(monkeypatch, config, AssertionError("dialled"), preview=True)
    assert program.outputs["proof"] == {"cp1": pulumi.UNKNOWN, "cp2": pulumi.UNKNOWN}
    assert program.outputs["nodes"] == {"cp1": pulumi.UNKNOWN, "cp2": pulumi.UNKNOWN}


def test_there_is_none_of_a_stack_that_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    config = stack_config(enabled=False) | {"kubernetes-audit:liveRead": "off"}
    program = run_program(monkeypatch, config, AssertionError("dialled"), preview=True)
    assert "proof" not in program.outputs


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    config = stack_config(proof={"enabled": False})
    program = run_program(monkeypatch, config, {"cp1": untouched()}, proven=Failure("it was tried"))
    assert program.messages == []
