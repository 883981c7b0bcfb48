"""The coverage matrix and what is never recorded."""

from __future__ import annotations

import json

import pytest

from auditlog.cli.output import fitted
from auditlog.policy.coverage import Caller, Coverage, cover, to_json, to_text
from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import Level
from auditlog.policy.phrase import parse_phrase
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.read import read_policy


def coverage(rules: str, more: tuple[Caller, ...] = ()) -> Coverage:
    return cover(read_policy(f"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n{rules}", "test"), 36, more)


def levels(found: Coverage, caller: str, target: str, verb: str) -> tuple[Level, ...]:
    (matrix,) = [each for each in found.matrices if caller in {one.name for one in each.callers}]
    (row,) = [each for each in (*matrix.resources, *matrix.urls) if each.target == target]
    return row.levels[verb]


@pytest.mark.parametrize("name", preset_names())
@pytest.mark.parametrize(
    ("caller", "user", "target", "verb", "phrase"),
    [
        ("anyone else", "somebody", "secrets", "get", "get secret prod/web"),
        ("anyone else", "somebody", "pods/exec", "get", "get pods/exec prod/web"),
        ("any node", "system:node:w1", "leases", "update", "update lease kube-node-lease/w1"),
        ("system:anonymous", "system:anonymous", "/livez", "get", "get /livez"),
        ("any service account of kube-system", "system:serviceaccount:kube-system:x", "nodes", "list", "list nodes"),
    ],
)
def test_a_cell_is_what_the_policy_decides(
    name: str, caller: str, user: str, target: str, verb: str, phrase: str
) -> None:
    policy = read_policy(preset_text(name), name)
    decided = evaluate(policy, parse_phrase(f"{user} {phrase}")).level
    assert decided in levels(cover(policy, 36), caller, target, verb)


def test_callers_treated_alike_share_a_matrix() -> None:
    found = coverage("  - level: None\n    users: [alice]\n  - level: Metadata\n")
    assert [[caller.name for caller in matrix.callers] for matrix in found.matrices][1:] == [["alice"]]


def test_a_level_that_depends_on_the_namespace_or_the_name_shows_all_of_them() -> None:
    found = coverage(
        '  - level: None\n    namespaces: [test]\n    resources: [{group: "", resources: [pods]}]\n'
        '  - level: Request\n    resources: [{group: "", resources: [configmaps], resourceNames: [app]}]\n'
        "  - level: Metadata\n"
    )
    assert levels(found, "anyone else", "pods", "get") == (Level.NONE, Level.METADATA)
    assert levels(found, "anyone else", "configmaps", "update") == (Level.METADATA, Level.REQUEST)
    assert levels(found, "anyone else", "configmaps", "create") == (Level.METADATA,)
    assert levels(found, "anyone else", "secrets", "get") == (Level.METADATA,)
    assert found.never_recorded == ("anyone: any verb of pods in namespace test",)


def test_more_callers_are_shown_with_their_groups() -> None:
    found = coverage(
        "  - level: None\n    userGroups: [dev]\n  - level: Metadata\n", (Caller("alice", "alice", ("dev",)),)
    )
    assert levels(found, "alice", "secrets", "get") == (Level.NONE,)
    assert levels(found, "members of dev", "secrets", "get") == (Level.NONE,)
    assert levels(found, "anyone else", "secrets", "get") == (Level.METADATA,)


@pytest.mark.parametrize("name", preset_names())
@pytest.mark.parametrize("width", [80, 100])
def test_the_text_fits(name: str, width: int) -> None:
    text = fitted(to_text(cover(read_policy(preset_text(name), name), 36), width), width)
    assert max(map(len, text.splitlines())) <= width
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_a_policy_that_records_everything_never_leaves_anything_out() -> None:
    found = cover(read_policy(preset_text("minimal"), "minimal"), 36)
    assert found.never_recorded == ()
    assert "Never recorded: nothing" in to_text(found)


def test_the_json_has_every_cell() -> None:
    value = json.loads(to_json(cover(read_policy(preset_text("secrets"), "preset"), 36)))
    assert value["policy"] == "preset"
    rows = {row["target"]: row["levels"] for row in value["matrices"][0]["resources"]}
    assert rows["secrets"]["get"] == ["Metadata"]
    assert rows["pods"]["get"] == ["None"]
    assert "anyone: any verb of any resource but configmaps, secrets" in value["neverRecorded"]


def test_it_marks_the_requests_to_which_annotations_say_what_changed() -> None:
    policy = read_policy(preset_text("lean"), "lean")
    annotated = {("", "secrets"): frozenset({"update", "patch"}), ("example.com", "things"): frozenset({"create"})}
    found = cover(policy, 37, annotated=annotated)
    lines = fitted(to_text(found, 100), 100).splitlines()
    assert lines[1].endswith("+ annotations say what changed")
    assert any(line.split()[:1] == ["secrets"] and line.split().count("M+") == 2 for line in lines)
    row = next(each for each in json.loads(to_json(found))["matrices"][0]["resources"] if each["target"] == "secrets")
    assert row["annotated"] == ["patch", "update"]
    assert "things.example.com" in to_text(found)
    assert "+" not in to_text(cover(policy, 37))


def test_a_request_that_is_dropped_has_no_annotation() -> None:
    policy = read_policy("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: None\n", "none")
    found = to_text(cover(policy, 37, annotated={("", "secrets"): frozenset({"update"})}))
    assert "-+" not in found
