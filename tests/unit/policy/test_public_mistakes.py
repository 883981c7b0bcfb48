"""The mistakes of public policies, repeated in policies of our own; the API server's own code judges what starts.

Precision and recall of lint are printed (`pytest -s`) over these and the presets.
"""

from __future__ import annotations

import pytest

from auditlog.policy.explain import explain
from auditlog.policy.lint import lint
from auditlog.policy.model import Level, PolicyError
from auditlog.policy.phrase import parse_phrase
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.summary import summarize, to_lines
from auditlog.policy.validate import policy_as_read
from tests.differential.oracle import ORACLE_MINORS, Question, ask
from tests.unit.policy.public_mistakes import EXAMINED, MISTAKES, Mistake


def named(mistake: Mistake) -> str:
    return mistake.name


def found_in(mistake: Mistake) -> list[tuple[str, int, str]]:
    policy = policy_as_read(mistake.policy, mistake.name)
    findings = lint(policy, mistake.policy, mistake.minor)
    return [(each.id, each.line, each.severity.value) for each in findings]


def test_there_are_enough_of_them() -> None:
    assert len(MISTAKES) >= 25


@pytest.mark.parametrize("mistake", MISTAKES, ids=named)
def test_it_starts_the_api_servers_that_its_file_names(mistake: Mistake) -> None:
    started = [minor for minor in ORACLE_MINORS if ask(minor, [Question(mistake.policy)])[0].accepted]
    assert tuple(started) == mistake.starts


@pytest.mark.parametrize("mistake", MISTAKES, ids=named)
def test_what_starts_is_examined_and_what_is_refused_is_not(mistake: Mistake) -> None:
    if mistake.refused is not None:
        assert not mistake.starts
        with pytest.raises(PolicyError, match=mistake.refused.replace("[", r"\[")):
            policy_as_read(mistake.policy, mistake.name)
        return
    assert bool(mistake.starts) == ("refused" not in {each for each, _, _ in found_in(mistake)})


@pytest.mark.parametrize("mistake", EXAMINED, ids=named)
def test_it_has_exactly_the_findings_of_its_file(mistake: Mistake) -> None:
    assert tuple(found_in(mistake)) == mistake.findings
    policy = policy_as_read(mistake.policy, mistake.name)
    also = {
        (each.id, each.line): sorted({place.line for place in each.also})
        for each in lint(policy, mistake.policy, mistake.minor)
        if each.also
    }
    assert also == mistake.also


@pytest.mark.parametrize("mistake", [each for each in EXAMINED if each.explained], ids=named)
def test_a_request_is_decided_as_the_file_and_the_api_server_say(mistake: Mistake) -> None:
    policy = policy_as_read(mistake.policy, mistake.name)
    requests = tuple(parse_phrase(each["request"]) for each in mistake.explained)
    for each, request in zip(mistake.explained, requests, strict=True):
        decision = explain(policy, request).decision
        rule = None if decision.rule_index is None else decision.rule_index + 1
        assert (decision.level, rule) == (Level(each["level"]), each["rule"]), each["request"]
    for minor in mistake.starts:
        (answer,) = ask(minor, [Question(mistake.policy, requests)])
        assert [each.level for each in answer.decisions] == [each["level"] for each in mistake.explained]


@pytest.mark.parametrize("mistake", [each for each in EXAMINED if each.meant is not None], ids=named)
def test_what_the_mistake_changes_is_said_as_in_the_file(mistake: Mistake) -> None:
    assert mistake.meant is not None
    old, new = (policy_as_read(text, mistake.name) for text in (mistake.policy, mistake.meant))
    assert tuple(to_lines(summarize(old, new))) == mistake.differences


def test_precision_and_recall(capsys: pytest.CaptureFixture[str]) -> None:
    """Right is what a file names; presets have nothing that is not silenced with a reason."""
    right = wrong = missed = 0
    for mistake in EXAMINED:
        found, expected = found_in(mistake), list(mistake.findings)
        right += len([each for each in found if each in expected])
        wrong += len([each for each in found if each not in expected])
        missed += len([each for each in expected if each not in found])
    for name in preset_names():
        text = preset_text(name)
        unsilenced = [each for each in lint(policy_as_read(text, name), text, 37) if each.silenced is None]
        wrong += len(unsilenced)
    precision, recall = right / (right + wrong), right / (right + missed)
    with capsys.disabled():
        print(
            f"\nlint over {len(EXAMINED)} policies and {len(preset_names())} presets: {right} right, {wrong} wrong, "
            f"{missed} missed: precision {precision:.1%}, recall {recall:.1%}"
        )
    assert (precision, recall) == (1, 1)
