"""Which machine an entry stands for, and under which name the stack has it until now."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from auditlog.checks.finding import Severity
from auditlog.checks.node_name import name_findings
from auditlog.nodes.facts import Facts, parse_facts
from auditlog.plan.identity import former_name
from auditlog.plan.plan import make_plan
from auditlog.plan.plan_error import PlanError
from auditlog.plan.preparation import plan_preparation
from auditlog.plan.removal import plan_removal
from auditlog.settings import Settings
from tests.unit.nodes.facts_output import facts_output
from tests.unit.plan.nodes import OWNER, POLICY, applied, settings, untouched


def node(owner: str | None, entry: str | None, own: str | None) -> Facts:
    return dataclasses.replace(applied(), owner=owner, entry=entry, node_name=own)


@pytest.mark.parametrize(
    ("facts", "severity"),
    [
        (node(None, None, "cp1"), None),
        (node(None, None, None), None),
        (node(None, None, "master-1"), Severity.ERROR),
        (node("kubernetes-audit/other", "cp1", "master-1"), Severity.ERROR),
        (node(OWNER, None, "master-1"), Severity.WARNING),
        (node(OWNER, "cp1", "master-1"), Severity.WARNING),
        (node(OWNER, "master-1", "master-1"), Severity.ERROR),
    ],
)
def test_a_new_entry_has_the_machines_own_name(facts: Facts, severity: Severity | None) -> None:
    found = list(name_findings("cp1", facts, OWNER))
    assert [each.severity for each in found] == ([] if severity is None else [severity])
    for each in found:
        assert "this machine is the node 'master-1' of its cluster, and nodes calls it 'cp1'" in str(each)
        assert "write name: master-1" in str(each)


@pytest.mark.parametrize(
    ("facts", "configured", "former"),
    [
        (node(OWNER, "old", "cp1"), {"cp1"}, "old"),
        (node(OWNER, None, "own"), {"cp1"}, "own"),
        (node(OWNER, "old", "cp1"), {"cp1", "old"}, None),
        (node(OWNER, "cp1", "own"), {"cp1"}, None),
        (node("kubernetes-audit/other", "old", "cp1"), {"cp1"}, None),
        (node(None, None, "own"), {"cp1"}, None),
    ],
)
def test_the_name_until_now_is_the_recorded_one(facts: Facts, configured: set[str], former: str | None) -> None:
    (host,) = settings("cp1").nodes
    assert former_name(host, facts, OWNER, configured) == former


def test_one_machine_under_two_entries_is_refused() -> None:
    twice = settings("cp1", "cp2")
    own = dataclasses.replace(untouched(), node_name="cp1")
    with pytest.raises(PlanError, match="cp1 and cp2: the entries lead to the same machine, the node 'cp1'"):
        make_plan(twice, POLICY, {"cp1": own, "cp2": own}, OWNER)


def test_name_and_entry_are_facts() -> None:
    facts = node(OWNER, "cp1", "master-1")
    assert parse_facts(facts_output(facts)) == facts


FORMER = "kubernetes-audit/former"


def handed_over(**more: Any) -> Settings:
    return dataclasses.replace(settings(), take_over=FORMER, **more)


def test_a_node_is_taken_over_without_a_restart() -> None:
    plan = make_plan(handed_over(), POLICY, {"cp1": node(FORMER, "cp1", "cp1")}, OWNER)
    (planned,) = plan.nodes
    assert planned.reasons == (f"record only: this node was {FORMER}'s and is {OWNER}'s from now on",)
    assert planned.taken_over_from == FORMER
    assert planned.was_taken_over
    assert planned.names_entry
    assert not planned.needs_restart
    assert planned.manifest.in_sync


def test_an_entry_may_be_renamed_in_the_same_update() -> None:
    plan = make_plan(handed_over(), POLICY, {"cp1": node(FORMER, "master-1", "cp1")}, OWNER)
    assert plan.nodes[0].former == "master-1"
    assert "record only: the node was master-1 in this stack and is cp1 from now on" in plan.nodes[0].reasons


@pytest.mark.parametrize("owner", [OWNER, None])
def test_the_setting_has_no_effect_on_a_node_of_this_stack_or_of_nobody(owner: str | None) -> None:
    facts = {"cp1": node(owner, "cp1", "cp1") if owner else untouched()}
    assert make_plan(handed_over(), POLICY, facts, OWNER) == make_plan(settings(), POLICY, facts, OWNER)


def test_once_taken_over_the_node_remembers_it() -> None:
    facts = dataclasses.replace(node(OWNER, "cp1", "cp1"), former_owner=FORMER)
    assert parse_facts(facts_output(facts)).former_owner == FORMER
    (planned,) = make_plan(settings(), POLICY, {"cp1": facts}, OWNER).nodes
    assert planned.in_sync
    assert planned.was_taken_over
    assert planned.taken_over_from is None


def test_a_node_of_a_third_owner_is_refused_with_the_setting_as_the_remedy() -> None:
    third = {"cp1": node("kubernetes-audit/third", "cp1", "cp1")}
    remedy = "destroy that stack first, or set takeOver: kubernetes-audit/third to take the node over from it as it is"
    with pytest.raises(PlanError, match=remedy):
        make_plan(handed_over(), POLICY, third, OWNER)
    with pytest.raises(PlanError, match=remedy):
        plan_removal(handed_over(enabled=False), third, OWNER)


def test_a_node_of_the_former_owner_is_given_back_with_the_setting_alone() -> None:
    facts = {"cp1": node(FORMER, "cp1", "cp1")}
    with pytest.raises(PlanError, match=f"set takeOver: {FORMER}"):
        plan_removal(dataclasses.replace(settings(), enabled=False), facts, OWNER)
    assert [where for where, _, _ in plan_removal(handed_over(enabled=False), facts, OWNER).changes] == [
        "test",
        "cp1",
        "cp1",
    ]


def test_a_machine_that_is_to_join_is_taken_over() -> None:
    joining = dataclasses.replace(settings().nodes[0], name="cp2", host="cp2.example.com", joining=True)
    prepared = dataclasses.replace(node(FORMER, "cp2", "cp2"), manifest=None)
    planned = plan_preparation(joining, handed_over(), POLICY, prepared, OWNER)
    assert planned.reasons == (f"record only: this node was {FORMER}'s and is {OWNER}'s from now on",)
    assert planned.taken_over_from == FORMER
