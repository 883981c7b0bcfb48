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
