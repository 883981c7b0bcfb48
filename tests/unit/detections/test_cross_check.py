"""Which detections a policy makes blind, and what would help."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog.annotations.read import catalogue
from auditlog.cli.output import fitted
from auditlog.detections.annotated import Form, written_keys
from auditlog.detections.catalogue import DETECTIONS, find
from auditlog.detections.cross_check import HEARTBEAT, Finding, Sight, cross_check, remedies
from auditlog.detections.model import READS, Detection, Events
from auditlog.detections.report import (
    findings_json,
    findings_text,
    preview_note,
    preview_warnings,
    remedies_text,
)
from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import GroupResources, Level, Policy, PolicyRule, Stage
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.read import read_policy
from tests.unit.detections import annotated_examples
from tests.unit.detections.examples import FIRES

METADATA_FOR_ALL = PolicyRule(Level.METADATA)


def preset(name: str) -> Policy:
    return read_policy(preset_text(name), name)


@cache
def findings_of(name: str) -> tuple[Finding, ...]:
    """The whole cross-check of a preset, made once."""
    return cross_check(preset(name), DETECTIONS)


def found(policy: Policy, detection_id: str) -> Finding:
    detection = find(detection_id)
    assert detection is not None
    return cross_check(policy, [detection])[0]


def dropping(rule: PolicyRule) -> Policy:
    return Policy((rule, METADATA_FOR_ALL))


def test_the_recommended_preset_lets_every_detection_fire() -> None:
    findings = findings_of("standard")
    assert [each.detection.id for each in findings if not each.sight.can_fire] == []
    assert {each.detection.id for each in findings if each.sight is Sight.PARTIAL} == {
        "privileged-container",
        "host-namespace",
        "sensitive-host-path",
        "dangerous-capability",
        "container-patched-in",
        # Reads by the control plane are dropped.
        "attack-tool-used",
    }
    assert Sight.FALSE_ALARMS not in {each.sight for each in findings}


def test_a_policy_without_bodies_hides_what_is_in_them_and_nothing_else() -> None:
    for finding in cross_check(Policy((METADATA_FOR_ALL,)), DETECTIONS):
        source = finding.detection.source
        if not isinstance(source, Events):
            continue
        needs_bodies = all(each.level > Level.METADATA for each in source.requests)
        assert finding.sight is (Sight.NO_BODIES if needs_bodies else Sight.FULL), finding.detection.id


def test_annotations_show_what_bodies_would_at_metadata() -> None:
    written = written_keys(catalogue())
    for finding in cross_check(Policy((METADATA_FOR_ALL,)), DETECTIONS, written):
        source = finding.detection.source
        if isinstance(source, Events):
            assert (finding.sight, finding.unseen_forms) == (Sight.FULL, ()), finding.detection.id
            assert finding.fires_by == ((Form.ANNOTATIONS,) if source.annotated else ())


def test_with_annotations_lean_lets_every_detection_fire_that_standard_does() -> None:
    under_lean = {
        each.detection.id: each for each in cross_check(preset("lean"), DETECTIONS, written_keys(catalogue()))
    }
    for finding in findings_of("standard"):
        if finding.sight.can_fire:
            assert under_lean[finding.detection.id].sight.can_fire, finding.detection.id
    assert all(rule.level <= Level.METADATA for rule in preset("lean").rules)
    blind = {each.detection.id for each in findings_of("lean") if not each.sight.can_fire}
    assert blind == set(annotated_examples.FIRES)


def test_an_entry_that_is_left_out_leaves_its_detections_blind() -> None:
    written = written_keys(each for each in catalogue() if each.name != "workload")
    blind = {
        each.detection.id
        for each in cross_check(Policy((METADATA_FOR_ALL,)), DETECTIONS, written)
        if not each.sight.can_fire
    }
    assert blind == {"privileged-container", "host-namespace", "sensitive-host-path", "dangerous-capability"}


def test_it_is_said_by_which_of_the_two_a_detection_fires() -> None:
    detections, written = [find("privileged-container"), find("exec-session")], written_keys(catalogue())
    known = [each for each in detections if each is not None]
    metadata, bodies = Policy((METADATA_FOR_ALL,)), Policy((PolicyRule(Level.REQUEST),))
    for policy, keys, said in (
        (metadata, frozenset(), "would fire by annotations (annotations.delivery): privileged-container"),
        (metadata, written, "fires by annotations: privileged-container"),
        (bodies, frozenset(), "fires by bodies: privileged-container"),
        (bodies, written, "fires by bodies or annotations: privileged-container"),
    ):
        assert said in findings_text(cross_check(policy, known, keys)).splitlines()
    (warning,) = preview_warnings(cross_check(metadata, known))
    assert warning.endswith("; annotations would show it (annotations.delivery)")
    value = json.loads(findings_json("p", cross_check(bodies, known, written)))["detections"][0]
    assert value["firesBy"] == ["bodies", "annotations"]


def test_a_policy_that_records_everything_hides_nothing() -> None:
    sights = {each.sight for each in cross_check(Policy((PolicyRule(Level.REQUEST_RESPONSE),)), DETECTIONS)}
    assert sights == {Sight.FULL, Sight.UNNEEDED, Sight.INDEPENDENT}


def test_a_policy_that_drops_everything_hides_everything() -> None:
    sights = {each.sight for each in cross_check(Policy((PolicyRule(Level.NONE),)), DETECTIONS)}
    assert sights == {Sight.BLIND, Sight.FALSE_ALARMS, Sight.UNNEEDED, Sight.INDEPENDENT}


def test_the_preset_of_the_seed_drops_what_reads_secrets() -> None:
    finding = found(preset("low-write"), "secret-read-by-person")
    assert finding.sight is Sight.BLIND
    assert finding.unseen == ("people: get, list, watch of secrets: not recorded",)


@pytest.mark.parametrize(
    ("rule", "detection_id", "sight", "unseen"),
    [
        (  # kubectl opens a session with `get`: the commonest hole (reference 3.4)
            PolicyRule(Level.NONE, verbs=READS),
            "exec-session",
            Sight.PARTIAL,
            ("people and workloads: get of pods/exec: not recorded",),
        ),
        (  # who is dropped is not whom the detection is about
            PolicyRule(Level.NONE, user_groups=("system:nodes", "system:serviceaccounts"), verbs=READS),
            "secret-read-by-person",
            Sight.FULL,
            (),
        ),
        (
            PolicyRule(Level.NONE, users=("system:kube-scheduler", "system:serviceaccount:monitoring:prometheus")),
            "secret-read-by-person",
            Sight.FULL,
            (),
        ),
        (
            PolicyRule(Level.NONE, users=("alice", "system:kube-scheduler")),
            "secret-read-by-person",
            Sight.PARTIAL,
            ("alice (in system:authenticated): get, list, watch of secrets: not recorded",),
        ),
        (
            PolicyRule(Level.NONE, user_groups=("system:serviceaccounts:flux-system",)),
            "rbac-changed-by-workload",
            Sight.PARTIAL,
            (
                "anyone (in system:serviceaccounts and in system:serviceaccounts:flux-system): create, update, patch, "
                "delete, deletecollection of clusterrolebindings, clusterroles, rolebindings, roles: not recorded",
            ),
        ),
        (
            PolicyRule(Level.NONE, resources=(GroupResources("", ("events",)),)),
            "events-deleted",
            Sight.PARTIAL,
            ("people and workloads: delete, deletecollection of events: not recorded",),
        ),
        (  # failed authentication has one stage only
            PolicyRule(Level.METADATA, omit_stages=(Stage.RESPONSE_STARTED,)),
            "authentication-failures",
            Sight.BLIND,
            None,
        ),
        (  # the end of a session is recorded, its beginning is not
            PolicyRule(Level.METADATA, omit_stages=(Stage.RESPONSE_STARTED,)),
            "exec-session",
            Sight.FULL,
            (),
        ),
        (
            PolicyRule(Level.METADATA, omit_stages=(Stage.RESPONSE_COMPLETE,)),
            "token-requested",
            Sight.BLIND,
            ("people and workloads: create of serviceaccounts/token: not recorded",),
        ),
    ],
)
def test_what_one_rule_takes_away(
    rule: PolicyRule, detection_id: str, sight: Sight, unseen: tuple[str, ...] | None
) -> None:
    finding = found(dropping(rule), detection_id)
    assert finding.sight is sight
    assert unseen in (None, finding.unseen)


def test_without_the_heartbeat_silence_is_no_fault() -> None:
    lease = PolicyRule(Level.NONE, resources=(GroupResources("coordination.k8s.io", ("leases",)),))
    assert found(dropping(lease), "no-events-from-node").sight is Sight.FALSE_ALARMS
    beat = PolicyRule(Level.METADATA, users=("system:apiserver",), resources=lease.resources)
    assert found(Policy((beat, lease)), "no-events-from-node").sight is Sight.FULL


@pytest.mark.parametrize("name", preset_names())
def test_the_rules_that_are_offered_help(name: str) -> None:
    policy = preset(name)
    rules = tuple(rule for _, rule in remedies(findings_of(name)))
    better = Policy((*rules, *policy.rules), policy.omit_stages, policy.omit_managed_fields)
    after = cross_check(better, DETECTIONS)
    assert all(each.sight.can_fire and each.sight is not Sight.FALSE_ALARMS for each in after)
    assert remedies(after) == ()


@pytest.mark.parametrize("name", preset_names())
def test_the_rules_that_are_offered_are_a_policy_as_they_stand(name: str) -> None:
    findings = findings_of(name)
    text = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n" + remedies_text(findings)
    expected = tuple(rule for _, rule in remedies(findings))
    assert not expected or read_policy(text, "remedies").rules == expected


SPECIFIC = [each for each in DETECTIONS if isinstance(each.source, Events) and not each.source.open]


def some_of(*values: Any) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(values), max_size=2).map(tuple)


RULES = st.builds(
    PolicyRule,
    level=st.sampled_from(list(Level)),
    users=some_of("alice", "system:anonymous", "system:serviceaccount:ci:deployer"),
    user_groups=some_of("developers", "system:nodes", "system:authenticated"),
    verbs=some_of("get", "list", "create", "delete"),
    resources=some_of(
        GroupResources("", ("secrets",)),
        GroupResources("", ("pods/*",)),
        GroupResources("rbac.authorization.k8s.io"),
        GroupResources("", ("configmaps",), ("kubeadm-config",)),
    ),
    namespaces=some_of("default", "kube-system", ""),
    omit_stages=some_of(*Stage),
)


@given(st.lists(RULES, min_size=1, max_size=5), st.sampled_from(SPECIFIC))
@settings(deadline=None)
def test_what_is_said_holds_for_every_example(rules: list[PolicyRule], detection: Detection) -> None:
    policy, source = Policy(tuple(rules)), detection.source
    assert isinstance(source, Events)
    (finding,) = cross_check(policy, [detection])
    for example in FIRES[detection.id]:
        decision = evaluate(policy, example.request)
        written = decision.level > Level.NONE and any(stage not in decision.omit_stages for stage in source.stages)
        enough = written and decision.level >= Level(example.level)
        if finding.sight is Sight.FULL:
            assert enough, (finding, example)
        if finding.sight is Sight.BLIND:
            assert not written, (finding, example)
        if finding.sight is Sight.NO_BODIES:
            assert not enough, (finding, example)


def test_the_text_names_the_worst_first_and_counts_all() -> None:
    text = findings_text(findings_of("low-write"))
    lines = text.splitlines()
    assert lines[0] == "permission-enumeration: can never fire: what it looks for is not recorded"
    assert "    people and workloads: create of selfsubjectrulesreviews: not recorded" in lines
    assert "cluster-admin-bound: can never fire: what it looks for is recorded without the body" in lines
    assert lines[-1].startswith(f"{len(DETECTIONS)} detections: ")
    assert max(map(len, fitted(text, 80).splitlines())) <= 80


def test_the_json_has_every_detection() -> None:
    value = json.loads(findings_json("low-write", findings_of("low-write")))
    by_id = {each["id"]: each for each in value["detections"]}
    assert set(by_id) == {each.id for each in DETECTIONS}
    assert by_id["secret-sweep"]["sight"] == "sees nothing"
    assert by_id["secret-sweep"]["canFire"] is False
    assert by_id["secret-sweep"]["unseen"] == ["people and workloads: get of secrets: not recorded"]
    assert by_id["exec-session"]["canFire"] is True


def test_a_preview_warns_of_what_cannot_fire_and_notes_the_rest_in_one_line() -> None:
    findings = findings_of("low-write")
    warnings = preview_warnings(findings)
    assert len(warnings) == sum(not each.sight.can_fire for each in findings) + 1
    assert (
        "detection secrets-listed-everywhere can never fire: what it looks for is not recorded (people and workloads: "
        "list of secrets in no namespace (all of them at once, or objects without one): not recorded)"
    ) in warnings
    assert "deprecated-api-used" in preview_note(findings)
    assert preview_note(cross_check(Policy((PolicyRule(Level.REQUEST_RESPONSE),)), DETECTIONS)) == ""


def test_the_heartbeat_is_a_request_that_the_api_server_makes_of_itself() -> None:
    assert HEARTBEAT.user == "system:apiserver"
    assert (HEARTBEAT.verb, HEARTBEAT.resource, HEARTBEAT.namespace) == ("update", "leases", "kube-system")
