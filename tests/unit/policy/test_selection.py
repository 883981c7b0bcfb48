"""The policy that a stack's configuration asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import Level, PolicyError
from auditlog.policy.phrase import parse_phrase
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.selection import selected_policy
from auditlog.policy.validate import load_policy
from auditlog.settings import PolicySettings, Settings, SettingsError, parse_settings
from tests.unit.plan.nodes import HOST_KEY

NODES = [{"name": "cp1", "host": "10.0.0.1", "hostKey": HOST_KEY}]


def settings(**policy: Any) -> Settings:
    return parse_settings({"cluster": "test", "nodes": NODES, "policy": policy}, preset_names())


def level(policy: PolicySettings, phrase: str) -> Level:
    return evaluate(load_policy(selected_policy(policy).text, "test", 36), parse_phrase(phrase)).level


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_that_nothing_changes_goes_to_the_nodes_as_it_is(preset: str) -> None:
    selected = selected_policy(settings(preset=preset).policy)
    assert selected.text == preset_text(preset)
    assert selected.source == f"preset {preset}"


def test_a_file_that_nothing_changes_goes_to_the_nodes_as_it_is(tmp_path: Path) -> None:
    text = "# mine\napiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata   # all\n"
    (tmp_path / "policy.yaml").write_text(text)
    assert selected_policy(settings(file=str(tmp_path / "policy.yaml")).policy).text == text


def test_what_a_stack_changes_decides() -> None:
    plain = settings(preset="low-write").policy
    changed = settings(
        preset="low-write",
        rulesBefore=[{"level": "RequestResponse", "users": ["mallory"]}],
        drop={"users": ["system:serviceaccount:ci:runner"], "namespaces": ["scratch"]},
        **{"raise": [{"level": "Request", "group": "apps", "resource": "deployments"}]},
        omitStages=["RequestReceived", "ResponseStarted"],
    ).policy
    for phrase, before, after in (
        ("mallory get pods prod/a", Level.NONE, Level.REQUEST_RESPONSE),
        ("alice delete pods scratch/a", Level.METADATA, Level.NONE),
        ("alice delete pods prod/a", Level.METADATA, Level.METADATA),
        ("alice create deployments prod/a", Level.METADATA, Level.REQUEST),
        ("system:serviceaccount:ci:runner delete pods prod/a", Level.METADATA, Level.NONE),
    ):
        assert level(plain, phrase) == before, phrase
        assert level(changed, phrase) == after, phrase
    assert selected_policy(changed).text == selected_policy(changed).text
    assert selected_policy(changed).source == "preset low-write, changed by the stack"


def test_a_presets_parameters_reach_it() -> None:
    policy = settings(preset="secrets-in-namespaces", parameters={"namespaces": ["pay", "ment"]}).policy
    assert level(policy, "alice delete secrets pay/a") == Level.METADATA
    assert level(policy, "alice delete secrets prod/a") == Level.NONE


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ({"rulesBefore": [{"levl": "None"}]}, "policy.rulesBefore[0]"),
        ({"rulesAfter": {"level": "None"}}, "policy.rulesAfter: is {'level': 'None'}; allowed: a list"),
        (
            {"drop": {"user": ["a"]}},
            "policy.drop.user: is not a key of the configuration, did you mean 'users'; ",
        ),
        ({"drop": {"users": "a"}}, "policy.drop.users: is 'a'; allowed: a list of texts"),
        ({"raise": [{"resource": "pods"}]}, "policy.raise[0].level: is missing; allowed: one of None, Metadata"),
        ({"raise": [{"level": "All", "resource": "pods"}]}, "policy.raise[0].level: is 'All'; allowed: one of None"),
        ({"raise": [{"level": "Request"}]}, "policy.raise[0].resource: is missing; allowed: a plural"),
        (
            {"omitStages": ["Received"]},
            "policy.omitStages: has 'Received', did you mean 'RequestReceived'; ",
        ),
        ({"omitManagedFields": "yes"}, "policy.omitManagedFields: is 'yes'; allowed: true or false"),
        ({"preset": "low-write", "parameters": {"namespaces": ["a"]}}, "policy.parameters.namespaces: is not a key"),
    ],
)
def test_a_mistake_names_the_key(policy: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError) as raised:
        settings(**policy)
    assert any(found.startswith(problem) for found in raised.value.problems), raised.value.problems


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(PolicyError, match=r"policy\.file 'nowhere\.yaml': cannot be read: No such file"):
        selected_policy(settings(file="nowhere.yaml").policy)


IGNORED = (
    "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
    "- level: Request\n  resources:\n  - group: apps\n    resources: [deployments]\n    verbs: [create]\n"
    "- level: None\n"
)


def test_a_policy_of_which_the_api_server_ignores_something_is_deployed_only_when_that_is_silenced() -> None:
    with pytest.raises(PolicyError) as raised:
        selected_policy(settings(inline=IGNORED).policy)
    (problem,) = raised.value.problems
    assert (problem.line, problem.column, problem.refused_by_api_server) == (8, 5, False)
    assert problem.message == (
        '"verbs" is not a key here; the API server ignores it and starts: the rule matches every verb; verbs belongs '
        "one level up, beside resources, or, if this is meant, write beside it: # lint: ignore ignored-key REASON"
    )
    meant = IGNORED.replace("[create]", "[create]  # lint: ignore ignored-key another program reads it")
    assert selected_policy(settings(inline=meant).policy).text == meant


def test_what_is_ignored_of_a_base_is_not_in_what_a_stack_makes_of_it() -> None:
    meant = IGNORED.replace("[create]", "[create]  # lint: ignore ignored-key another program reads it")
    made = selected_policy(settings(inline=meant, drop={"users": ["bob"]}).policy).text
    assert "ignored-key" not in made
    assert level(settings(inline=meant, drop={"users": ["bob"]}).policy, "alice delete deployments default/a") == (
        Level.REQUEST
    )
