"""What a preview says of a changed policy."""

from __future__ import annotations

from auditlog.policy.change import MOST_LINES, describe_change
from auditlog.policy.presets import preset_text

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
METADATA = HEAD + "- level: Metadata\n  omitStages: [RequestReceived]\n"


def test_a_first_policy_is_only_linted() -> None:
    lines = describe_change(None, HEAD + "- level: None\n", 36)
    assert lines
    assert all(line.startswith("policy line ") for line in lines)
    assert describe_change(None, preset_text("standard"), 36) == ()


def test_the_mode_of_the_log_counts() -> None:
    strict = [line for line in describe_change(None, METADATA, 36, "blocking-strict") if "blocking-strict" in line]
    assert len(strict) == 1
    assert not any("blocking-strict" in line for line in describe_change(None, METADATA, 36, "blocking"))


def test_a_changed_decision_is_told_with_the_requests_and_both_levels() -> None:
    changed = HEAD + "- level: None\n  users: [alice]\n- level: Metadata\n  omitStages: [RequestReceived]\n"
    lines = [line for line in describe_change(METADATA, changed, 36) if line.startswith("decision: ")]
    assert lines == [
        "decision: alice: any verb of any resource: Metadata -> None; rule 1 -> rule 1",
        "decision: alice: any method of any URL: Metadata -> None; rule 1 -> rule 1",
    ]


def test_another_text_with_the_same_decisions_says_so() -> None:
    lines = describe_change(METADATA, METADATA.replace("Metadata", "Metadata   # all"), 36)
    assert "decision: No difference: the same is written of every request." in lines


def test_a_live_policy_that_cannot_be_read_is_said_to_be_so() -> None:
    lines = describe_change("rules: [", METADATA, 36)
    assert "the policy on the node cannot be read, so the decisions cannot be compared" in lines


def test_a_flood_of_differences_is_cut_and_counted() -> None:
    namespaces = "".join(
        f"- level: {'None' if number % 2 else 'Request'}\n  users: [u{number}]\n  namespaces: [n{number}]\n"
        for number in range(2 * MOST_LINES)
    )
    lines = describe_change(METADATA, HEAD + namespaces + "- level: Metadata\n  omitStages: [RequestReceived]\n", 36)
    assert lines[-1].startswith("and ")
    assert lines[-1].endswith("more; all of them: auditlog diff OLD NEW")
