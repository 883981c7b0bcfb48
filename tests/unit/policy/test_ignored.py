"""What an API server ignores: the policy is then what the server makes of it, as its own code says."""

from __future__ import annotations

import pytest

from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import Request
from auditlog.policy.read import parse_policy
from tests.differential.oracle import ORACLE_MINORS, Question, ask
from tests.differential.run import run

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
NONE_FOR_BOB = "- &a {level: None, users: [bob]}\n"
STARTS = {
    "a merge key behind a key": NONE_FOR_BOB + "- {level: Metadata, <<: *a}\n- level: Request\n",
    "a merge key in front of a key": NONE_FOR_BOB + "- {<<: *a, level: Metadata}\n- level: Request\n",
    "a merge of two": NONE_FOR_BOB + "- &b {level: Request, users: [carol]}\n- {<<: [*a, *b]}\n- level: Metadata\n",
    "a merge in a merge": NONE_FOR_BOB
    + "- &b {<<: *a, users: [carol]}\n- {level: Metadata, <<: *b}\n- level: Request\n",
    "a merge key in quotes is none": "- {level: None, '<<': {users: [bob]}}\n",
    "a merge of what is written there": "- {level: None, <<: {users: [bob]}}\n- level: Request\n",
    "a key of the rule in an entry": "- level: None\n  resources: [{group: '', resources: [pods], users: [bob]}]\n",
    "no key of an entry": "- level: None\n  resources: [{username: bob}]\n- level: Request\n",
    "a list without a value": "- level: None\n  users:\n- level: Request\n",
    "a key given twice": "- level: None\n  users: [bob]\n  users: [carol]\n- level: Request\n",
    "a second document": "- level: Metadata\n---\nrules: [{level: None}]\n",
}
REFUSED = {
    "a merge of texts": "- {level: None, <<: [x]}\n",
    "a merge of itself": "- &a {level: None, <<: *a}\n",
    "a merge of nothing": "- {level: None, <<: }\n",
}
REQUESTS = tuple(
    Request(user, verb=verb, api_version="v1", resource=resource, api_group=group)
    for user in ("bob", "carol", "dave")
    for verb in ("get", "create")
    for group, resource in (("", "pods"), ("apps", "deployments"))
)


@pytest.mark.parametrize("minor", ORACLE_MINORS)
@pytest.mark.parametrize("rules", STARTS.values(), ids=STARTS)
def test_a_policy_the_server_starts_with_is_read_as_the_server_reads_it(rules: str, minor: int) -> None:
    parsed = parse_policy(HEAD + rules, "case")
    (answer,) = ask(minor, [Question(HEAD + rules, REQUESTS)])
    assert answer.accepted
    assert parsed.policy is not None
    assert (parsed.ignored, parsed.fatal) == (parsed.problems, ())
    assert parsed.policy.ignored
    assert [evaluate(parsed.policy, each).level.value for each in REQUESTS] == [each.level for each in answer.decisions]


@pytest.mark.parametrize("minor", ORACLE_MINORS)
@pytest.mark.parametrize("rules", REFUSED.values(), ids=REFUSED)
def test_what_the_server_refuses_stays_refused(rules: str, minor: int) -> None:
    (answer,) = ask(minor, [Question(HEAD + rules)])
    assert not answer.accepted
    assert [each for each in parse_policy(HEAD + rules, "case").fatal if each.refused_by_api_server]


def test_what_cannot_be_known_is_not_examined() -> None:
    parsed = parse_policy(HEAD + "- level: None\n  users: [!local bob]\n", "case")
    assert [(each.refused_by_api_server, each.finding) for each in parsed.fatal] == [(False, "")]


def test_random_texts_with_faults_that_start_are_read_as_the_server_reads_them() -> None:
    """The generator damages every third policy; those the server starts with are compared request by request."""
    tallies, differences = run((36,), 5_000, seed=26)
    assert not differences, "\n\n".join(str(difference) for difference in differences)
    assert tallies[36].accepted > 50
