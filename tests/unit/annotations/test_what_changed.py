"""What is read from the annotations of an event."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from auditlog.annotations.what_changed import Change, Subject, WhatChanged, what_changed


def said(**entries: Mapping[str, str]) -> WhatChanged:
    """By entry, with `_` for `-`; each is complete."""
    prefix = "audit-annotations-"
    return what_changed(
        {
            f"{prefix}{entry.replace('_', '-')}/{key}": value
            for entry, values in entries.items()
            for key, value in {**values, "complete": "yes"}.items()
        }
    )


def test_an_event_without_annotations_says_nothing() -> None:
    found = what_changed({"authorization.k8s.io/decision": "allow", "someones-policy/images": "a: x -> y"})
    assert found == WhatChanged()
    assert found.changed == ""


@pytest.mark.parametrize(
    ("entries", "changed"),
    [
        (
            {"workload_change": {"images": "main: x:1 -> x:2", "replicas": "0 -> 2", "changed": "specification"}},
            "images main: x:1 -> x:2, replicas 0 -> 2",
        ),
        ({"workload_change": {"changed": "specification"}}, "specification"),
        ({"workload_change": {"changed": "no change"}, "workload": {"privileged": "main"}}, "no change"),
        ({"configmap": {"changed": "keys a, b"}}, "keys a, b"),
        ({"secret": {"changed": "no change"}}, "no change"),
        ({"scale": {"replicas": "2 -> 3"}}, "replicas 2 -> 3"),
        ({"scale": {"replicas": "no change"}}, ""),
        ({"namespace": {"podSecurity": "restricted -> none"}}, "pod security restricted -> none"),
        ({"service": {"type": "ClusterIP -> NodePort"}}, "type ClusterIP -> NodePort"),
        ({"role": {"changed": "rules", "wildcards": "verbs"}}, "rules"),
        (
            {"workload_change": {"added": "b", "images": "b:  -> x", "changed": "specification"}},
            "added containers b, images b:  -> x",
        ),
    ],
)
def test_changes_are_one_line(entries: Mapping[str, Mapping[str, str]], changed: str) -> None:
    assert said(**entries).changed == changed


def test_a_binding_names_its_role_and_whom_it_is_given_to() -> None:
    subjects = "User CN=eve, O=x, ServiceAccount demo/robot, Group system:authenticated"
    found = said(binding={"role": "ClusterRole cluster-admin", "subjects": subjects})
    assert found.role == "ClusterRole cluster-admin"
    assert found.subjects == (
        Subject("User", "CN=eve, O=x"),
        Subject("ServiceAccount", "robot", "demo"),
        Subject("Group", "system:authenticated"),
    )
    assert ", ".join(map(str, found.subjects)) == subjects


def test_a_role_a_workload_a_session_and_a_deletion() -> None:
    found = said(
        role={"wildcards": "verbs", "escalating": "bind", "changed": "no change"},
        workload={"privileged": "main", "serviceAccount": "robot"},
        session={"command": "etcdctl version"},
        deleted={"uid": "1", "owners": "ReplicaSet web", "labels": "a=b", "collection": "yes"},
    )
    assert found.grants == {"wildcards": "verbs", "escalating": "bind"}
    assert found.reaches == {"privileged": "main"}
    assert found.command == "etcdctl version"
    assert (found.deleted_uid, found.deleted_owners, found.deleted_labels) == ("1", "ReplicaSet web", "a=b")
    assert found.deleted_collection


def test_an_entry_without_its_sentinel_is_not_complete() -> None:
    found = what_changed({"audit-annotations-own/size": "3", "audit-annotations-secret/complete": "yes"})
    assert found.complete == {"secret"}
    assert found.values == {"own": {"size": "3"}, "secret": {}}
    assert found.changes == ()
    assert Change("keys", "a") in said(secret={"changed": "keys a"}).changes


def test_the_summary_is_one_line() -> None:
    assert said(workload_change={"images": "a: x -> y"}, workload={"privileged": "a"}).summary == (
        "changed: images a: x -> y; privileged: a"
    )
    assert said(binding={"role": "ClusterRole view", "subjects": "User a"}).summary == "ClusterRole view to User a"
    assert said(role={"escalating": "bind", "changed": "rules"}).summary == "changed: rules; may bind"
    assert said(session={"command": "id"}).summary == "ran: id"
    assert said(deleted={"uid": "1", "owners": "Job j"}).summary == "was: UID 1 of Job j"
    assert said(secret={"changed": "no change"}).summary == "no change"


def test_a_policy_of_the_same_name_says_nothing_beside_one_from_a_file() -> None:
    found = what_changed(
        {
            "audit-annotations-binding.static.k8s.io/role": "ClusterRole cluster-admin",
            "audit-annotations-binding/changed": "no change",
            "audit-annotations-binding/role": "ClusterRole view",
            "audit-annotations-scale/replicas": "1 -> 2",
        }
    )
    assert (found.role, found.changed) == ("ClusterRole cluster-admin", "replicas 1 -> 2")
