"""Explanations: the deciding rule, and the first field that keeps each earlier rule from matching."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog.policy.evaluate import evaluate, rule_matches
from auditlog.policy.explain import Mismatch, explain, first_mismatch
from auditlog.policy.model import GroupResources, Level, Policy, PolicyRule, Request, Stage
from auditlog.policy.phrase import parse_phrase
from auditlog.policy.report import explanation_json, explanation_text
from tests.unit.policy.analysis.strategies import ALL_REQUESTS, POLICIES

_PODS = (GroupResources("", ("pods",)),)


@pytest.mark.parametrize(
    ("rule", "phrase", "mismatch"),
    [
        (
            PolicyRule(Level.NONE, users=("bob",)),
            "alice get pod prod/web",
            Mismatch("users", '["bob"]', '"alice"'),
        ),
        (
            PolicyRule(Level.NONE, users=("bob",)),
            "- get pod prod/web",
            Mismatch("users", '["bob"]', "no known user"),
        ),
        (
            PolicyRule(Level.NONE, user_groups=("ops",)),
            "alice[dev] get pod prod/web",
            Mismatch("userGroups", '["ops"]', '["dev", "system:authenticated"]'),
        ),
        (
            PolicyRule(Level.NONE, user_groups=("ops",)),
            "- get pod prod/web",
            Mismatch("userGroups", '["ops"]', "no known user"),
        ),
        (
            PolicyRule(Level.NONE, verbs=("list", "watch")),
            "alice get pod prod/web",
            Mismatch("verbs", '["list", "watch"]', '"get"'),
        ),
        (
            PolicyRule(Level.NONE, namespaces=("test",), resources=_PODS),
            "alice get pod prod/web",
            Mismatch("namespaces", '["test"]', '"prod"'),
        ),
        (
            PolicyRule(Level.NONE, resources=(GroupResources("apps"), GroupResources("batch"))),
            "alice get pod prod/web",
            Mismatch("resources.group", '["apps", "batch"]', '""'),
        ),
        (
            PolicyRule(Level.NONE, resources=_PODS),
            "alice create pods/exec prod/web",
            Mismatch("resources.resources", '["pods"]', '"pods/exec"'),
        ),
        (
            PolicyRule(Level.NONE, resources=(GroupResources("", ("pods",), ("db",)),)),
            "alice get pod prod/web",
            Mismatch("resources.resourceNames", '["db"]', '"web"'),
        ),
        (
            PolicyRule(Level.NONE, resources=_PODS),
            "alice get /healthz",
            Mismatch("resources", '["pods"]', 'the URL "/healthz"'),
        ),
        (
            PolicyRule(Level.NONE, namespaces=("test",)),
            "alice get /healthz",
            Mismatch("namespaces", '["test"]', 'the URL "/healthz"'),
        ),
        (
            PolicyRule(Level.NONE, non_resource_urls=("/healthz*",)),
            "alice get /metrics",
            Mismatch("nonResourceURLs", '["/healthz*"]', '"/metrics"'),
        ),
        (
            PolicyRule(Level.NONE, non_resource_urls=("/healthz*",)),
            "alice get deployment prod/web",
            Mismatch("nonResourceURLs", '["/healthz*"]', "the resource deployments of group apps"),
        ),
    ],
)
def test_the_first_field_that_does_not_match_is_named_with_both_values(
    rule: PolicyRule, phrase: str, mismatch: Mismatch
) -> None:
    assert first_mismatch(rule, parse_phrase(phrase)) == mismatch


@settings(max_examples=200, deadline=None)
@given(POLICIES, st.sampled_from(ALL_REQUESTS))
def test_an_explanation_agrees_with_the_evaluation(policy: Policy, request: Request) -> None:
    explanation = explain(policy, request)
    assert explanation.decision == evaluate(policy, request)
    before = policy.rules[: explanation.decision.rule_index]
    assert [passed.rule_index for passed in explanation.passed] == list(range(len(before)))
    assert [first_mismatch(rule, request) is None for rule in policy.rules] == [
        rule_matches(rule, request) for rule in policy.rules
    ]


def test_the_stages_are_those_that_neither_policy_nor_rule_omits() -> None:
    rule = PolicyRule(Level.REQUEST, omit_stages=(Stage.PANIC,))
    explanation = explain(Policy((rule,), (Stage.REQUEST_RECEIVED,)), parse_phrase("alice delete pod prod/web"))
    assert explanation.stages == (Stage.RESPONSE_STARTED, Stage.RESPONSE_COMPLETE)


def test_a_request_that_no_rule_matches_is_explained_by_all_of_them() -> None:
    policy = Policy((PolicyRule(Level.METADATA, verbs=("get",)),))
    text = explanation_text(explain(policy, parse_phrase("alice delete pod prod/web")))
    assert text.splitlines() == [
        "alice (system:authenticated) delete pods prod/web: None",
        "  by no rule: requests that no rule matches are not recorded",
        '  not rule 1: verbs is ["get"], the request has "delete"',
    ]


def test_the_json_of_an_explanation_counts_rules_from_one() -> None:
    policy = Policy((PolicyRule(Level.NONE, verbs=("get",)), PolicyRule(Level.REQUEST)), omit_managed_fields=True)
    value = json.loads(explanation_json(explain(policy, parse_phrase("alice delete deployment prod/web"))))
    assert (value["level"], value["rule"], value["omitManagedFields"]) == ("Request", 2, True)
    assert value["notMatched"] == [{"rule": 1, "line": 0, "field": "verbs", "wanted": '["get"]', "given": '"delete"'}]
    assert value["request"]["apiGroup"] == "apps"
