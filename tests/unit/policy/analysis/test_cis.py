"""The CIS controls, by what policies do."""

from __future__ import annotations

import json

import pytest

from auditlog.policy.cis import check, to_json, to_text
from auditlog.policy.presets import preset_text
from auditlog.policy.read import read_policy

RECORDS, SEES_CREDENTIALS, NO_BODIES, SEES_CHANGES, SEES_SESSIONS = range(5)


def results(rules: str) -> list[tuple[bool, tuple[str, ...]]]:
    policy = read_policy(f"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n{rules}", "test")
    return [(each.passed, each.failures) for each in check(policy)]


def test_the_preset_made_for_it_passes_every_check() -> None:
    checks = check(read_policy(preset_text("cis"), "cis"))
    assert [each.passed for each in checks] == [True] * 5
    assert [each.control for each in checks] == ["3.2.1", "3.2.2", "3.2.2", "3.2.2", "3.2.2"]


def test_a_policy_that_drops_everything_is_no_policy() -> None:
    assert [passed for passed, _ in results("  - level: None\n")] == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("rules", "failing", "failures"),
    [
        (
            '  - level: None\n    verbs: [get]\n    resources: [{group: "", resources: [secrets]}]\n'
            "  - level: Metadata\n",
            SEES_CREDENTIALS,
            ("anyone: get of secrets: None",),
        ),
        (
            '  - level: Request\n    resources: [{group: "", resources: [configmaps]}]\n  - level: Metadata\n',
            NO_BODIES,
            ("anyone: create, update, patch of configmaps: Request",),
        ),
        (
            "  - level: None\n    users: [deployer]\n    verbs: [patch]\n    resources: [{group: apps}]\n"
            "  - level: Metadata\n",
            SEES_CHANGES,
            ("deployer: patch of deployments: None",),
        ),
        (
            '  - level: None\n    verbs: [get]\n    resources: [{group: "", resources: [pods/exec, nodes/proxy]}]\n'
            "  - level: Metadata\n",
            SEES_SESSIONS,
            ("anyone: get of pods/exec: None",),
        ),
    ],
)
def test_a_check_that_fails_names_the_requests(rules: str, failing: int, failures: tuple[str, ...]) -> None:
    found = results(rules)
    assert found[failing] == (False, failures)
    assert [passed for passed, _ in found] == [number != failing for number in range(5)]


def test_the_reports_say_what_fails() -> None:
    checks = check(read_policy(preset_text("low-write"), "low-write"))
    text = to_text(checks).splitlines()
    assert text[0] == "pass  3.2.1  a policy that records something"
    assert text[1] == "FAIL  3.2.2  access to Secrets, ConfigMaps and TokenReviews is recorded"
    assert text[2].startswith("        anyone: ")
    value = json.loads(to_json(checks))
    assert value["passed"] is False
    assert [each["passed"] for each in value["checks"]] == [True, False, True, True, True]
