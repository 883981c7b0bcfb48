from __future__ import annotations

from typing import Any

import pytest

from auditlog.policy.model import Level, Policy, PolicyError, PolicyRule
from auditlog.policy.read import read_policy
from auditlog.policy.validate import load_policy, validate
from tests.unit.policy.cases import cases, minors_of


@pytest.mark.parametrize("case", cases("validate"))
def test_finds_the_problems_of_the_case(case: dict[str, Any]) -> None:
    for minor in minors_of(case):
        problems = validate(read_policy(case["text"], "case"), minor)
        expected = [problem.replace("{minor}", str(minor)) for problem in case["problems"]]
        assert [str(problem) for problem in problems] == expected, minor


def test_load_policy_reports_problems_of_reading_and_validation_in_the_order_of_the_text() -> None:
    text = (
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
        "- level: Metadata\n  nonResourceURLs: [healthz]\n- level: all\n"
        "- level: None\n  resources: [{group: apps/v1}]\n  verb: [get]\n"
    )
    with pytest.raises(PolicyError) as raised:
        load_policy(text, "policy", 36)
    assert [problem.path for problem in raised.value.problems] == [
        "rules[0].nonResourceURLs[0]",
        "rules[1].level",
        "rules[2].resources[0].group",
        "rules[2].verb",
    ]


def test_a_policy_that_was_not_read_from_a_text_has_problems_without_a_place() -> None:
    policy = Policy((PolicyRule(Level.METADATA, non_resource_urls=("healthz",)),))
    (problem,) = validate(policy, 36)
    assert str(problem).startswith('rules[0].nonResourceURLs[0]: "healthz" is not a path')


@pytest.mark.parametrize("minor", [29, 38, 0])
def test_other_minor_versions_are_refused(minor: int) -> None:
    with pytest.raises(ValueError, match=f"Kubernetes 1.{minor} is not supported; allowed are 1.30 to 1.37"):
        validate(Policy((PolicyRule(Level.METADATA),)), minor)
