"""The API server's own code has the last word: random cases, and every case file, are put to it."""

from __future__ import annotations

from typing import Any

import pytest

from auditlog.policy.evaluate import resource_matches
from tests.differential.oracle import ORACLE_MINORS, Question, ask
from tests.differential.run import run
from tests.unit.policy.cases import cases, minors_of, request_of

CASES = 8_000


def test_no_difference_over_random_policies_and_requests() -> None:
    tallies, differences = run(ORACLE_MINORS, CASES, seed=20240601)
    assert not differences, "\n\n".join(str(difference) for difference in differences)
    for tally in tallies.values():
        assert tally.cases >= CASES
        assert min(tally.accepted, tally.refused) > CASES / 100


def test_a_planted_error_is_found_and_shown_on_one_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    def documented_but_wrong(pattern: str, resource: str, subresource: str) -> bool:
        return resource_matches(pattern, resource, subresource) and (subresource != "" or not pattern.endswith("/*"))

    monkeypatch.setattr("auditlog.policy.evaluate.resource_matches", documented_but_wrong)
    tallies, differences = run((36,), 1_000, seed=1)
    assert tallies[36].differences > 0
    shown = differences[0]
    assert shown.request is not None
    assert shown.policy.count("level: ") == 1
    assert f"{shown.request.resource}/*" in shown.policy


@pytest.mark.parametrize("minor", ORACLE_MINORS)
@pytest.mark.parametrize("case", cases("evaluate"))
def test_the_api_server_decides_as_the_case_says(case: dict[str, Any], minor: int) -> None:
    requests = tuple(request_of(decision["request"]) for decision in case["decisions"])
    (answer,) = ask(minor, [Question(case["policy"], requests)])
    if minor not in minors_of(case):
        assert not answer.accepted
        return
    found = [(each.level, list(each.omit_stages), each.omit_managed_fields) for each in answer.decisions]
    assert found == [
        (each["level"], sorted(each.get("omitStages", ())), each.get("omitManagedFields", False))
        for each in case["decisions"]
    ]


@pytest.mark.parametrize("minor", ORACLE_MINORS)
@pytest.mark.parametrize("case", cases("read"))
def test_the_api_server_accepts_a_text_when_the_case_says_so(case: dict[str, Any], minor: int) -> None:
    (answer,) = ask(minor, [Question(case["text"])])
    assert answer.accepted == (case["apiServer"] == "accepts"), answer.error


@pytest.mark.parametrize("minor", ORACLE_MINORS)
@pytest.mark.parametrize("case", cases("validate"))
def test_the_api_server_refuses_a_policy_when_the_case_has_problems(case: dict[str, Any], minor: int) -> None:
    (answer,) = ask(minor, [Question(case["text"])])
    if minor in minors_of(case):
        assert answer.accepted == (not case["problems"]), answer.error
    else:
        assert answer.accepted == bool(case["problems"]), answer.error
