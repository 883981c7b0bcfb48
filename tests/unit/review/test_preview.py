"""What is read from the engine's JSON."""

from __future__ import annotations

import json

import pytest

from auditlog.checks.budget import MISSED
from auditlog.review.preview import NOTHING_PRINTED, Message, PreviewError, Step, read_preview
from tests.unit.review.documents import DIFF, DIGEST, document, urn


def test_steps_name_the_resource_and_leave_out_the_stack_and_what_stays() -> None:
    preview = read_preview(document(steps=[("Stack", "kubernetes-audit-dev", "update"), ("cp1-manifest", "update")]))
    assert preview.steps == (Step("cp1-manifest", "update"),)
    assert preview.unchanged == 2


def test_a_message_is_parted_into_sentences_and_the_diff() -> None:
    text = f"<{{%reset%}}>cp1: restart, policy changed\ncp1: the API stays reachable\n{DIFF}<{{%reset%}}>"
    (message,) = read_preview(document(messages=[("cp1-manifest", "info", text)])).messages
    assert message == Message(
        "cp1-manifest", "info", ("cp1: restart, policy changed", "cp1: the API stays reachable"), DIFF.rstrip("\n")
    )


def test_a_line_of_three_dashes_without_a_plus_line_after_it_begins_no_diff() -> None:
    (message,) = read_preview(document(messages=[("cp1-policy", "info", "--- not a diff\nmore")])).messages
    assert message.sentences == ("--- not a diff", "more")


def test_the_digest_is_no_message_of_its_own() -> None:
    preview = read_preview(document(messages=[("stack", "info#err", f"plan digest: {DIGEST}\n")]))
    assert (preview.digest, preview.messages) == (DIGEST, ())


def test_the_digests_of_several_components_are_kept_together() -> None:
    lines = [(name, "info", f"plan digest: {name}={DIGEST}") for name in ("east", "west")]
    assert read_preview(document(messages=lines)).digest == f"east={DIGEST},west={DIGEST}"


def test_a_preview_with_an_error_has_failed() -> None:
    preview = read_preview(document(messages=[("stack", "error", "cp1: no kube-apiserver manifest")]))
    assert preview.failed
    assert preview.digest is None


@pytest.mark.parametrize("text", ["Previewing update", "[]", '{"steps": 1}'])
def test_what_is_no_preview_is_refused(text: str) -> None:
    with pytest.raises(PreviewError, match="pulumi preview --json"):
        read_preview(text)


def test_what_pulumi_prints_nothing_of_has_failed() -> None:
    preview = read_preview("\n")
    assert preview.failed
    assert preview.messages[0].sentences == (NOTHING_PRINTED,)


def test_a_preview_that_ended_before_its_first_step_has_none() -> None:
    text = json.dumps({"diagnostics": [{"urn": urn("Stack", "s"), "message": "refused", "severity": "error"}]})
    assert read_preview(text).steps == ()


def test_a_node_that_misses_its_budget_is_found_among_the_warnings() -> None:
    missed = (
        f"cp1: the node writes 9 MB of events a day, which {MISSED} (30 days in 100 MB): it holds 11.1 days of that"
    )
    assert read_preview(document(messages=[("cp1-manifest", "warning", missed)])).misses_budget
    met = "cp1: the node writes 1 MB of events a day: auditLog.budget holds 100 days of it"
    assert not read_preview(document(messages=[("cp1-manifest", "info", met)])).misses_budget
