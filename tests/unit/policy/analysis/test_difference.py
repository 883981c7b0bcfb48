"""Differences in words and as JSON. That they are complete and true is shown in test_partition.py."""

from __future__ import annotations

import json

import pytest

from auditlog.policy.difference import difference, to_json, to_text
from auditlog.policy.model import Policy
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.read import read_policy


def policy(rules: str, settings: str = "") -> Policy:
    return read_policy(f"apiVersion: audit.k8s.io/v1\nkind: Policy\n{settings}rules:\n{rules}", "test")


CATCH_ALL = "  - level: Metadata\n"
DROP_READS = "  - level: None\n    verbs: [get, list, watch]\n"
SESSIONS = '  - level: Metadata\n    resources: [{group: "", resources: [pods/exec]}]\n'


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (
            DROP_READS + CATCH_ALL,
            SESSIONS + DROP_READS + CATCH_ALL,
            ["anyone: get, list, watch of pods/exec: None -> Metadata; rule 1 -> rule 1"],
        ),
        (
            CATCH_ALL,
            '  - level: None\n    users: [alice]\n    namespaces: ["prod"]\n' + CATCH_ALL,
            ["alice: any verb of any resource in namespace prod: Metadata -> None; rule 1 -> rule 1"],
        ),
        (
            CATCH_ALL,
            '  - level: None\n    userGroups: ["system:nodes", ops]\n    nonResourceURLs: ["/healthz*"]\n' + CATCH_ALL,
            ["anyone (in ops or system:nodes): any method of /healthz*: Metadata -> None; rule 1 -> rule 1"],
        ),
        (
            '  - level: Metadata\n    resources: [{group: "", resources: [secrets]}]\n',
            '  - level: Metadata\n    resources: [{group: "", resources: [secrets, configmaps]}]\n',
            ["anyone: any verb of configmaps: None -> Metadata; no rule -> rule 1"],
        ),
        (
            CATCH_ALL,
            '  - level: None\n    resources: [{group: "", resources: [configmaps], resourceNames: [leader]}]\n'
            + CATCH_ALL,
            ["anyone: any verb of configmaps named leader: Metadata -> None; rule 1 -> rule 1"],
        ),
        (
            "  - level: Request\n    verbs: [create]\n    resources: [{group: apps, resources: [deployments]}]\n",
            "  - level: Request\n    verbs: [create]\n    resources: [{group: apps, resources: [deployments]}]\n"
            "    omitManagedFields: true\n",
            ["what both write: without managedFields; rule 1 -> rule 1"],
        ),
    ],
)
def test_a_difference_is_told_in_few_lines(old: str, new: str, lines: list[str]) -> None:
    assert to_text(difference(policy(old), policy(new))).splitlines() == lines


def test_stages_that_change_everywhere_take_one_line() -> None:
    old = policy(DROP_READS + CATCH_ALL)
    new = policy(DROP_READS + CATCH_ALL, "omitStages: [RequestReceived]\n")
    assert to_text(difference(old, new)).splitlines() == ["what both write: without RequestReceived; rule 2 -> rule 2"]


def test_another_text_for_the_same_decisions_is_no_difference() -> None:
    old = policy(DROP_READS + CATCH_ALL)
    new = policy(
        "  - level: None\n    verbs: [watch]\n"
        "  - level: None\n    verbs: [list, get]\n    resources: [{group: '*'}]\n"
        "  - level: None\n    verbs: [get, list]\n"
        "  - level: Metadata\n    verbs: [create]\n" + CATCH_ALL
    )
    found = difference(old, new)
    assert not found
    assert to_text(found) == "No difference: the same is written of every request.\n"
    assert json.loads(to_json(found)) == {"different": False, "levels": [], "details": []}


def test_settings_that_write_nothing_are_no_difference() -> None:
    everything = "    omitStages: [RequestReceived, ResponseStarted, ResponseComplete, Panic]\n"
    assert not difference(policy("  - level: None\n"), policy("  - level: Request\n" + everything))
    assert not difference(policy(CATCH_ALL), policy("  - level: Metadata\n    omitManagedFields: true\n"))


def test_what_is_lost_comes_first() -> None:
    old = policy('  - level: Metadata\n    resources: [{group: "", resources: [secrets]}]\n')
    new = policy('  - level: Metadata\n    resources: [{group: "", resources: [configmaps]}]\n')
    assert [each.new.value for each in difference(old, new).levels] == ["None", "Metadata"]


def test_the_json_counts_rules_from_one_and_has_null_for_no_rule() -> None:
    old = policy('  - level: Metadata\n    resources: [{group: "", resources: [secrets]}]\n')
    value = json.loads(to_json(difference(old, policy(CATCH_ALL, "omitStages: [Panic]\n"))))
    assert value["different"] is True
    assert {(each["old"]["level"], each["new"]["level"]) for each in value["levels"]} == {("None", "Metadata")}
    assert {(tuple(each["old"]["rules"]), tuple(each["new"]["rules"])) for each in value["levels"]} == {((None,), (1,))}
    assert value["details"] == [{"details": ["without Panic"], "rules": [{"old": 1, "new": 1}]}]


@pytest.mark.parametrize("old", preset_names())
def test_presets_differ_from_every_other_preset(old: str) -> None:
    for new in preset_names():
        found = difference(read_policy(preset_text(old), old), read_policy(preset_text(new), new))
        assert bool(found) == (old != new)
