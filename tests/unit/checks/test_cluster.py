"""A cluster that cannot spare an API server stops a plan that restarts one, and is worth a warning otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from auditlog.checks.cluster import cluster_findings
from auditlog.checks.finding import Severity
from auditlog.nodes.fact_types import Health, Role, Sign, SignKind
from auditlog.nodes.facts import Facts, parse_facts
from auditlog.plan.plan import make_plan
from auditlog.plan.plan_error import PlanError
from auditlog.plan.removal import plan_removal
from tests.unit.nodes.facts_output import facts_output
from tests.unit.plan.nodes import OWNER, POLICY, applied, settings, untouched

FULL = Sign(Health.BAD, SignKind.ETCD, "http://127.0.0.1:2381", "etcd of this node is not healthy: ALARM NOSPACE")
SILENT = Sign(Health.BAD, SignKind.API, "https://10.0.0.1:6443", "the API server at https://10.0.0.1:6443 hangs")
UNKNOWN = Sign(Health.UNKNOWN, SignKind.ETCD, "-", "whether etcd of this node is healthy is not known")
WELL = Sign(Health.OK, SignKind.NODE, "cp1")


def not_ready(name: str) -> Sign:
    return Sign(Health.BAD, SignKind.NODE, name, f"the node {name} is not Ready: NodeStatusUnknown")


def seeing(facts: Facts, *signs: Sign) -> Facts:
    return dataclasses.replace(facts, cluster=signs)


def ids(node: str, facts: Mapping[str, Facts]) -> list[tuple[str, Severity]]:
    return [(each.id, each.severity) for each in cluster_findings(node, facts)]


@pytest.mark.parametrize(
    ("sign", "found"),
    [
        (WELL, []),
        (FULL, [("etcd-unhealthy", Severity.ERROR)]),
        (SILENT, [("api-not-ready", Severity.ERROR)]),
        (UNKNOWN, [("cluster-unknown", Severity.WARNING)]),
        (not_ready("cp1"), [("node-not-ready", Severity.ERROR)]),
        (not_ready("cp2"), []),
    ],
)
def test_each_sign_of_a_node_is_one_finding(sign: Sign, found: list[tuple[str, Severity]]) -> None:
    assert ids("cp1", {"cp1": seeing(untouched(), sign)}) == found


def test_whether_a_node_is_ready_is_what_another_one_saw_by_its_name_in_the_cluster() -> None:
    other = dataclasses.replace(untouched(), node_name="machine-2")
    facts = {"cp1": seeing(untouched(), not_ready("machine-2")), "cp2": other}
    assert (ids("cp1", facts), ids("cp2", facts)) == ([], [("node-not-ready", Severity.ERROR)])


def test_what_a_change_that_was_cut_off_has_left_is_no_reason_not_to_finish_it() -> None:
    assert ids("cp1", {"cp1": dataclasses.replace(seeing(untouched(), SILENT, FULL), unfinished_change=True)}) == []


def test_a_script_of_an_earlier_version_says_nothing_and_stops_nothing() -> None:
    assert make_plan(settings(), POLICY, {"cp1": untouched()}, OWNER).nodes[0].needs_restart


def test_a_plan_that_restarts_an_api_server_is_refused_with_every_reason() -> None:
    facts = {"cp1": seeing(applied(), not_ready("cp2")), "cp2": seeing(untouched(), FULL)}
    with pytest.raises(PlanError) as refused:
        make_plan(settings("cp1", "cp2"), POLICY, facts, OWNER)
    full, away = refused.value.problems
    assert full.startswith("cp2: etcd of this node is not healthy: ALARM NOSPACE: no API server is restarted while")
    assert away.startswith("cp2: the node cp2 is not Ready: NodeStatusUnknown: no API server is restarted while")


def test_what_is_wrong_with_a_node_that_cannot_be_changed_anyway_is_said_too() -> None:
    away = dataclasses.replace(untouched(), kubelet_runs=False, role=Role.CONTROL_PLANE)
    facts = {"cp1": seeing(untouched(), not_ready("cp2")), "cp2": away}
    with pytest.raises(PlanError) as refused:
        make_plan(settings("cp1", "cp2"), POLICY, facts, OWNER)
    assert [problem.split(":")[1] for problem in refused.value.problems] == [
        " kubelet does not run",
        " the node cp2 is not Ready",
    ]


def test_a_plan_that_restarts_nothing_warns() -> None:
    (node,) = make_plan(settings(), POLICY, {"cp1": seeing(applied(), FULL)}, OWNER).nodes
    assert not node.needs_restart
    assert [(each.id, each.severity) for each in node.warnings] == [("etcd-unhealthy", Severity.WARNING)]


def test_removal_is_refused_too() -> None:
    with pytest.raises(PlanError, match="ALARM NOSPACE"):
        plan_removal(settings(), {"cp1": seeing(applied(), FULL)}, OWNER)
    assert plan_removal(settings(), {"cp1": seeing(untouched(), FULL)}, OWNER).changes == ()


def test_an_endpoint_that_does_not_answer_is_told_from_an_api_server_that_does_not() -> None:
    refused = "The connection to the server 10.0.0.9:6443 was refused - did you specify the right host or port?"
    facts = dataclasses.replace(untouched(), kubeadm_config=None, kubeadm_config_error=refused)
    ready = Sign(Health.OK, SignKind.API, "https://10.0.0.1:6443")
    for signs, said in (((), "the API server does not answer, though"), ((ready,), "the cluster's endpoint does not")):
        with pytest.raises(PlanError, match=said):
            make_plan(settings(), POLICY, {"cp1": seeing(facts, *signs)}, OWNER)


def test_what_a_node_saw_is_read_as_it_is_written() -> None:
    seen = seeing(untouched(), WELL, FULL, SILENT, UNKNOWN)
    assert parse_facts(facts_output(seen)).cluster == seen.cluster


@pytest.mark.parametrize("crashes", [False, True])
def test_a_node_that_lost_a_file_may_be_silent_and_not_ready_where_only_it_changes(*, crashes: bool) -> None:
    """Its kubelet knows no other API server (ControlPlaneKubeletLocalMode), and starts its own again and again."""
    lost = dataclasses.replace(applied(), policy=None, node_name="cp2", role=Role.CONTROL_PLANE)
    lost = seeing(lost, SILENT) if crashes else dataclasses.replace(lost, processes=())
    facts = {"cp1": seeing(applied(), not_ready("cp2")), "cp2": lost}
    planned = make_plan(settings("cp1", "cp2"), POLICY, facts, OWNER)
    assert [node.needs_restart for node in planned.nodes] == [False, True]
    assert "audit-policy.yaml is not there" in " ".join(planned.nodes[1].reasons)
    for more in (
        {"cp1": seeing(untouched(), not_ready("cp2"))},
        {"cp2": dataclasses.replace(untouched(), node_name="cp2", role=Role.CONTROL_PLANE)},
    ):
        with pytest.raises(PlanError, match="the node cp2 is not Ready"):
            make_plan(settings("cp1", "cp2"), POLICY, {**facts, **more}, OWNER)
    with pytest.raises(PlanError, match="ALARM NOSPACE"):
        make_plan(settings("cp1", "cp2"), POLICY, {**facts, "cp2": seeing(lost, FULL)}, OWNER)
