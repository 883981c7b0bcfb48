"""Which request proves that a policy records, on which node."""

from __future__ import annotations

import dataclasses

import pytest

from auditlog.plan.marker import Marker, marker_of
from auditlog.plan.plan import make_plan
from auditlog.policy.model import Level, Policy
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.read import read_policy
from auditlog.policy.validate import load_policy
from auditlog.proof.tasks import DROPPED, MARKER, Task, proof_tasks
from auditlog.settings import LogFormat, LogSettings
from tests.unit.plan.nodes import OWNER, POLICY, settings, untouched


def policy(rules: str) -> Policy:
    return load_policy(f"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n{rules}\n", "test", 36)


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_records_some_marker(preset: str) -> None:
    marker = marker_of(load_policy(preset_text(preset), preset, 36), MARKER)
    assert marker is not None
    assert marker.level > Level.NONE


@pytest.mark.parametrize(
    ("rules", "marker"),
    [
        ("- level: Metadata", Marker("create", "configmaps", "kube-system", Level.METADATA)),
        ("- level: Request", Marker("create", "configmaps", "kube-system", Level.REQUEST)),
        (
            '- level: Metadata\n  resources: [{group: "", resources: [secrets]}]\n  namespaces: [payments]',
            Marker("create", "secrets", "payments", Level.METADATA),
        ),
        (
            '- level: Metadata\n  verbs: [get]\n  resources: [{group: "", resources: [secrets]}]',
            Marker("get", "secrets", "kube-system", Level.METADATA),
        ),
        ("- level: None\n  users: [kubernetes-admin]\n- level: Metadata", None),
        ("- level: Metadata\n  omitStages: [ResponseComplete]", None),
        ("- level: Metadata\n  nonResourceURLs: [/healthz]", None),
    ],
)
def test_the_first_request_that_the_policy_records_is_made(rules: str, marker: Marker | None) -> None:
    assert marker_of(policy(rules), MARKER) == marker


def test_each_node_is_asked_at_its_own_api_server() -> None:
    wanted = settings("cp1", "cp2")
    facts = {name: dataclasses.replace(untouched(), hostname=f"{name}-host") for name in ("cp1", "cp2")}
    tasks = proof_tasks(make_plan(wanted, POLICY, facts, OWNER), wanted, read_policy(POLICY, "test"), facts)
    assert not isinstance(tasks, str)
    assert [(task.node.name, task.hostname) for task in tasks] == [("cp1", "cp1-host"), ("cp2", "cp2-host")]
    assert {(task.endpoint, task.log) for task in tasks} == {
        ("https://127.0.0.1:6443", "/var/log/kubernetes/audit/audit.log")
    }


def reasoned(rules: str = "- level: Metadata", log: LogSettings | None = None) -> tuple[Task, ...] | str:
    wanted = dataclasses.replace(settings(), log=log)
    plan = make_plan(settings(), POLICY, {"cp1": untouched()}, OWNER)
    return proof_tasks(plan, wanted, policy(rules), {"cp1": untouched()})


def test_where_there_is_nothing_to_find_it_says_why() -> None:
    assert reasoned(log=None) == "events go to the webhook alone, where the stack cannot look"
    assert "legacy" in str(reasoned(log=LogSettings(format=LogFormat.LEGACY)))
    assert reasoned("- level: None", LogSettings()) == DROPPED
    assert not isinstance(reasoned(log=LogSettings()), str)
