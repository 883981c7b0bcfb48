"""What a story takes from annotations: every key that an own entry may have, and nobody else's."""

from __future__ import annotations

from auditlog.annotations.what_changed import what_changed
from auditlog.events.story.facts import facts_of, is_annotated, sentences

OWN = {"audit-annotations-mine/tls13": "on", "audit-annotations-mine/complete": "yes"}
FROM_A_FILE = {"audit-annotations-scale.static.k8s.io/replicas": "1 -> 2"}


def test_a_key_with_a_digit_is_told() -> None:
    assert facts_of(OWN) == {("mine", "tls13"): "on"}
    assert sentences(facts_of(OWN)) == ("mine tls13: on",)
    assert what_changed(OWN).values == {"mine": {"tls13": "on"}}


def test_a_policy_from_a_file_says_the_same() -> None:
    assert sentences(facts_of(FROM_A_FILE)) == ("replicas 1 -> 2",)
    assert what_changed(FROM_A_FILE).changed == "replicas 1 -> 2"


def test_a_policy_that_had_nothing_to_say_has_looked() -> None:
    nothing = {"audit-annotations-mine/complete": "yes"}
    assert facts_of(nothing) == {}
    assert is_annotated(nothing)


def test_what_others_wrote_is_left_out() -> None:
    others = {"authorization.k8s.io/decision": "allow", "audit-annotations-mine": "x", "mine/tls13": "on"}
    assert facts_of(others) == {}
    assert not is_annotated(others)
