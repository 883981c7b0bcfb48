"""Which way the API server is restarted, and what a person reads of it."""

from __future__ import annotations

import dataclasses
import subprocess

import pytest
import yaml

from auditlog.manifest import manifest
from auditlog.manifest.desired import POLICY_ANNOTATION
from auditlog.nodes.facts import Facts
from auditlog.nodes.second_api_server import memory_needed
from auditlog.plan.restart import Restart, RestartError, choose_restart, placed_first
from auditlog.policy.model import Policy
from auditlog.policy.presets import preset_text
from auditlog.policy.validate import load_policy
from auditlog.settings.restart import RestartMode, RestartSettings
from tests.unit.manifest.kubeadm_files import MANIFEST
from tests.unit.plan.nodes import applied

GIBIBYTE = 1 << 30
AUDITED = (
    "kube-apiserver",
    "--advertise-address=10.0.0.1",
    "--audit-policy-file=/etc/kubernetes/audit-policy.yaml",
    "--audit-log-path=/var/log/audit.log",
)
EVERY_STAGE = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"


def node(**changed: object) -> Facts:
    """A node with everything that a seamless restart needs."""
    facts = dataclasses.replace(
        applied(),
        memory_available_bytes=8 * GIBIBYTE,
        memory_running_bytes=GIBIBYTE,
        redirect_tool="iptables",
    )
    return dataclasses.replace(facts, **changed)  # type: ignore[arg-type]


def policy(text: str = EVERY_STAGE) -> Policy:
    return load_policy(text, "test", 36)


def choose(
    wanted: RestartSettings | None = None,
    facts: Facts | None = None,
    arguments: tuple[str, ...] = AUDITED,
    text: str = EVERY_STAGE,
    no_canary: str | None = None,
) -> Restart:
    return choose_restart(wanted or RestartSettings(), facts or node(), arguments, policy(text), no_canary)


def test_seamless_is_the_default_where_the_node_allows_it() -> None:
    assert choose() == Restart(RestartMode.SEAMLESS, None, None)
    assert choose().sentences[0].startswith("restart: seamless; the API stays reachable")


def test_who_is_not_redirected_is_named_and_what_they_will_see() -> None:
    found = choose(facts=node(loopback_clients=("haproxy", "kube-vip")))
    assert found.sentences[1] == (
        "restart: haproxy, kube-vip on this node may reach the API over 127.0.0.1, where nothing is redirected: for "
        "them, and for whom they pass on, the API of this node is away for about 40 seconds, and outageSeconds counts "
        "it"
    )
    assert repr(found) == repr(choose()), "a connection that comes and goes is no other plan"
    drains = choose(RestartSettings(mode=RestartMode.DRAIN), node(loopback_clients=("haproxy",)))
    assert len(drains.sentences) == 1, "they see what everybody sees"


@pytest.mark.parametrize(
    ("facts", "arguments", "reason"),
    [
        (node(redirect_tool=None), AUDITED, "the node has neither iptables nor nft"),
        (node(processes=()), AUDITED, "no API server runs"),
        (node(unfinished_change=True), AUDITED, "an earlier change was cut off and is finished first"),
        (node(), AUDITED[:1] + AUDITED[2:], "the API server has no --advertise-address"),
        (node(), (*AUDITED, "--bind-address=10.0.0.1"), "the API server listens on 10.0.0.1 alone"),
        (node(), (*AUDITED, "--audit-log-path=-"), "the audit log is not a file"),
        (node(), AUDITED[:-1], "the audit log is not a file"),
    ],
)
def test_where_connections_cannot_be_redirected_it_drains_and_still_rehearses(
    facts: Facts, arguments: tuple[str, ...], reason: str
) -> None:
    chosen = choose(facts=facts, arguments=arguments)
    assert chosen.mode is RestartMode.DRAIN
    assert reason in (chosen.reason or "")
    assert chosen.rehearses
    assert f"drain and not seamless, because {reason}" in chosen.sentences[0]
    assert "away for about 40 seconds" in chosen.sentences[0]


def test_an_api_server_without_audit_logging_is_restarted_seamlessly_too() -> None:
    assert choose(arguments=AUDITED[:2]).mode is RestartMode.SEAMLESS


@pytest.mark.parametrize(("spare", "enough"), [(0, True), (-1, False)])
def test_a_second_api_server_takes_a_quarter_more_than_the_running_one_and_a_reserve(spare: int, enough: bool) -> None:
    available = memory_needed(GIBIBYTE) + spare
    chosen = choose(facts=node(memory_available_bytes=available))
    assert (chosen.mode is RestartMode.SEAMLESS) is enough
    assert chosen.rehearses is enough
    if not enough:
        assert "drain and not seamless, because memory is short for a second API server" in chosen.sentences[0]


def test_where_no_canary_can_be_made_there_is_neither_rehearsal_nor_stand_in() -> None:
    chosen = choose(no_canary="the pod has other containers")
    assert (chosen.mode, chosen.reason) == (RestartMode.DRAIN, "the pod has other containers")
    assert chosen.no_rehearsal == "the pod has other containers"


def test_a_rehearsal_can_be_switched_off_where_no_stand_in_needs_it() -> None:
    chosen = choose(RestartSettings(RestartMode.DRAIN, rehearsal=False))
    assert chosen.no_rehearsal == "switched off"
    assert choose(RestartSettings(rehearsal=False)).rehearses


QUICK = RestartSettings(RestartMode.QUICK)
WRITES_LATE = f"{EVERY_STAGE}  verbs: [create, get]\n  omitStages: [RequestReceived]\n"
READS_LATE = f"{EVERY_STAGE}  verbs: [get, list, watch]\n  omitStages: [RequestReceived]\n"
DROPPED = EVERY_STAGE.replace("Metadata", "None") + "  omitStages: [RequestReceived]\n"


@pytest.mark.parametrize("text", [EVERY_STAGE, READS_LATE, DROPPED])
def test_quick_is_taken_where_every_write_tells_of_its_beginning(text: str) -> None:
    chosen = choose(QUICK, text=text)
    assert chosen.mode is RestartMode.QUICK
    assert "away for 5 to 10 seconds" in chosen.sentences[0]


@pytest.mark.parametrize(
    ("arguments", "text", "message"),
    [
        (AUDITED, WRITES_LATE, "the policy omits RequestReceived for writes"),
        (AUDITED, preset_text("low-write"), "the policy omits RequestReceived for writes"),
        ((*AUDITED, "--audit-log-mode=batch"), EVERY_STAGE, "--audit-log-mode=batch"),
        ((*AUDITED[:-1], "--audit-webhook-config-file=/x"), EVERY_STAGE, "the webhook is the only backend"),
    ],
)
def test_quick_is_refused_where_it_can_lose_events_unless_that_is_accepted(
    arguments: tuple[str, ...], text: str, message: str
) -> None:
    with pytest.raises(RestartError, match=message):
        choose(QUICK, arguments=arguments, text=text)
    accepted = dataclasses.replace(QUICK, accept_lost_events=True)
    assert choose(accepted, arguments=arguments, text=text).mode is RestartMode.QUICK


@pytest.mark.parametrize(
    "text", [MANIFEST, MANIFEST.replace("  annotations:\n", "  labels2:\n"), MANIFEST.rstrip("\n")]
)
def test_what_a_quick_restart_places_first_differs_by_the_policy_annotation_alone(text: str) -> None:
    source = text if text.endswith("\n") else text + "\n"
    placed = subprocess.run(
        ["sed", "-e", placed_first(text)], input=source, text=True, capture_output=True, check=True
    ).stdout
    assert manifest.policy_annotation(placed) == "placed-first"
    expected, found = yaml.safe_load(source), yaml.safe_load(placed)
    annotations = found["metadata"].pop("annotations")
    assert annotations.pop(POLICY_ANNOTATION) == "placed-first"
    assert annotations == expected["metadata"].pop("annotations", {})
    assert found == expected
