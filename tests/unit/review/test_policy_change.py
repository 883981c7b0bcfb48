"""What a preview and `diff` say of a changed policy."""

from __future__ import annotations

from itertools import permutations

from auditlog.annotations.read import catalogue
from auditlog.detections.annotated import written_keys
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.validate import policy_as_read
from auditlog.review.policy_change import MOST_LINES, describe_change, policy_change

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
METADATA = HEAD + "- level: Metadata\n  omitStages: [RequestReceived]\n"


def test_a_first_policy_is_only_linted() -> None:
    lines = describe_change(None, HEAD + "- level: None\n", 36)
    assert lines
    assert all(line.startswith("policy line ") for line in lines)
    assert describe_change(None, preset_text("standard"), 36) == ()


def test_detections_that_neither_bodies_nor_annotations_serve_are_named() -> None:
    (line,) = describe_change(None, preset_text("lean"), 36)
    assert line.startswith("14 of ")
    assert "can never fire, as neither bodies nor annotations (annotations.delivery) say what was written: " in line
    assert describe_change(None, preset_text("lean"), 36, None, written_keys(catalogue())) == ()


def test_the_mode_of_the_log_counts() -> None:
    strict = [line for line in describe_change(None, METADATA, 36, "blocking-strict") if "blocking-strict" in line]
    assert len(strict) == 1
    assert not any("blocking-strict" in line for line in describe_change(None, METADATA, 36, "blocking"))


def test_a_changed_decision_is_told_with_the_requests_and_both_levels() -> None:
    changed = HEAD + "- level: None\n  users: [alice]\n- level: Metadata\n  omitStages: [RequestReceived]\n"
    lines = [line for line in describe_change(METADATA, changed, 36) if line.startswith("decision: alice")]
    assert lines == [
        "decision: alice: any verb of any resource; any method of any URL: nothing is recorded any more (was Metadata)",
    ]


def test_another_text_with_the_same_decisions_says_so() -> None:
    lines = describe_change(METADATA, METADATA.replace("Metadata", "Metadata   # all"), 36)
    assert "decision: No difference: the same is written of every request." in lines


def test_a_live_policy_that_cannot_be_read_is_said_to_be_so() -> None:
    lines = describe_change("rules: [", METADATA, 36)
    assert "the policy on the node cannot be read, so the decisions cannot be compared" in lines


def test_a_live_policy_of_which_the_api_server_ignores_something_is_compared() -> None:
    lines = describe_change(METADATA.replace("- level", "- why: all\n  level"), METADATA, 36)
    assert "decision: No difference: the same is written of every request." in lines


def test_a_flood_of_differences_is_counted() -> None:
    namespaces = "".join(
        f"- level: {'None' if number % 2 else 'Request'}\n  users: [u{number}]\n  namespaces: [n{number}]\n"
        for number in range(30)
    )
    lines = describe_change(METADATA, HEAD + namespaces + "- level: Metadata\n  omitStages: [RequestReceived]\n", 36)
    decisions = [line for line in lines if line.startswith("decision: ")]
    assert len(decisions) <= MOST_LINES
    assert any("narrower kinds of requests" in line for line in decisions)


def test_detections_and_checks_that_change_are_named() -> None:
    dropped = HEAD + "- level: None\n  resources: [{group: '', resources: [secrets]}]\n- level: Metadata\n"
    change = policy_change(policy_as_read(METADATA, "old"), policy_as_read(dropped, "new"))
    assert [(each.what, each.is_worse) for each in change.sights][:1] == [("can never fire any more", True)]
    assert "secret-sweep" in change.sights[0].detections
    assert change.fails == ("3.2.2 access to Secrets, ConfigMaps and TokenReviews is recorded",)
    back = policy_change(policy_as_read(dropped, "old"), policy_as_read(METADATA, "new"))
    assert back.holds == change.fails
    assert not any(each.is_worse for each in back.sights)


def test_any_two_presets_take_at_most_24_lines_and_leave_one_for_the_volume() -> None:
    policies = [policy_as_read(preset_text(name), name) for name in preset_names()]
    most = max(len(policy_change(old, new).lines()) for old, new in permutations(policies, 2))
    assert most < MOST_LINES
