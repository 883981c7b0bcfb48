"""Which machine an entry stands for, and under which name the stack has it until now."""

from __future__ import annotations

import dataclasses

import pytest

from auditlog.apiserver.checks.finding import Severity
from auditlog.apiserver.checks.node_name import name_findings
from auditlog.apiserver.facts import Facts, parse_facts
from auditlog.apiserver.identity import former_name
from auditlog.apiserver.plan import make_plan
from auditlog.apiserver.plan_error import PlanError
from tests.unit.apiserver.facts_output import facts_output
from tests.unit.apiserver.nodes import OWNER, POLICY, applied, settings, untouched


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
