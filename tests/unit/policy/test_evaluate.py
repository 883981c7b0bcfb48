from __future__ import annotations

from typing import Any

import pytest

from auditlog.policy.evaluate import compile_policy, evaluate
from auditlog.policy.model import Decision, Level, Policy, PolicyRule, Request, Stage
from auditlog.policy.validate import load_policy
from tests.unit.policy.cases import cases, minors_of, request_of


def _expected(case: dict[str, Any]) -> Decision:
    return Decision(
        level=Level(case["level"]),
        omit_stages=frozenset(Stage(stage) for stage in case.get("omitStages", ())),
        omit_managed_fields=case.get("omitManagedFields", False),
        rule_index=None if case["rule"] == "none" else case["rule"] - 1,
    )


@pytest.mark.parametrize("case", cases("evaluate"))
def test_decides_as_the_case_says(case: dict[str, Any]) -> None:
    for minor in minors_of(case):
        policy = load_policy(case["policy"], "case", minor)
        decide = compile_policy(policy)
        for decision in case["decisions"]:
            request = request_of(decision["request"])
            assert evaluate(policy, request) == _expected(decision), decision["request"]
            assert decide(request) == _expected(decision), decision["request"]


def test_a_compiled_policy_forgets_paths_it_saw_long_ago_and_still_decides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("auditlog.policy.evaluate._REMEMBERED_ANSWERS", 2)
    policy = Policy(
        (
            PolicyRule(Level.NONE, non_resource_urls=("/healthz*",)),
            PolicyRule(Level.METADATA, users=("alice",)),
        )
    )
    decide = compile_policy(policy)
    for path in ("/healthz/1", "/livez/2", "/healthz/3", "/livez/4", "/healthz/1", "/livez/2"):
        request = Request("alice", verb="get", resource_request=False, path=path)
        assert decide(request) == evaluate(policy, request)
        assert decide(request).level is (Level.NONE if path.startswith("/healthz") else Level.METADATA)
