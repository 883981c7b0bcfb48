"""What a change of the policy lets one find out, in the words of those who ask."""

from __future__ import annotations

from auditlog.policy.model import Policy
from auditlog.policy.presets import preset_text
from auditlog.policy.validate import policy_as_read
from auditlog.review.knowledge import NOTHING_RECORDED, knowledge_change


def preset(name: str) -> Policy:
    return policy_as_read(preset_text(name), name)


def policy(rules: str) -> Policy:
    return policy_as_read(f"apiVersion: audit.k8s.io/v1\nkind: Policy\n{rules}", "a policy")


EVERYTHING = policy("rules: [{level: Metadata}]")


def test_what_is_gained_one_way_is_lost_the_other() -> None:
    there, back = (
        knowledge_change(preset(a), preset(b)) for a, b in (("low-write", "standard"), ("standard", "low-write"))
    )
    assert "who read a Secret" in there.gained
    assert "what a workload was changed to" in there.gained
    assert there.lost == ()
    assert "who read a Secret" in back.lost
    assert back.gained == ()


def test_without_a_policy_everything_is_gained() -> None:
    assert knowledge_change(NOTHING_RECORDED, EVERYTHING).lost == ()
    assert "who changed any other object" in knowledge_change(NOTHING_RECORDED, EVERYTHING).gained


def test_one_namespace_or_name_makes_it_a_part() -> None:
    for restriction in ("namespaces: [vault]", "resources: [{group: '', resources: [secrets], resourceNames: [key]}]"):
        secrets = "" if "resources" in restriction else ", resources: [{group: '', resources: [secrets]}]"
        dropped = policy(f"rules: [{{level: None, verbs: [get], {restriction}{secrets}}}, {{level: Metadata}}]")
        change = knowledge_change(EVERYTHING, dropped)
        assert change.lost[0] == "who read a Secret, in some cases only"
        assert knowledge_change(dropped, EVERYTHING).gained[0] == "who read a Secret, in every case (was in some)"


def test_a_kind_of_callers_is_named_where_the_others_keep_what_they_had() -> None:
    dropped = policy(
        "rules: [{level: None, userGroups: ['system:serviceaccounts'], verbs: [get, list, watch]}, {level: Metadata}]"
    )
    assert knowledge_change(EVERYTHING, dropped).lost == (
        "who read a Secret (workloads)",
        # kubectl opens them by get over WebSocket.
        "who opened a shell, a port or a proxy into a workload (workloads), in some cases only",
        "who read any other object (workloads)",
    )


def test_an_event_without_its_outcome_answers_nothing() -> None:
    cut = policy("omitStages: [ResponseComplete]\nrules: [{level: Metadata}]")
    assert len(knowledge_change(EVERYTHING, cut).lost) == len(knowledge_change(EVERYTHING, NOTHING_RECORDED).lost)


def test_bodies_are_another_matter_than_who() -> None:
    change = knowledge_change(policy("rules: [{level: Request}]"), EVERYTHING)
    assert change.lost == ("what a role or binding was changed to", "what a workload was changed to")
