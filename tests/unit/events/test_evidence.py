"""What a log says of its policy, decided once for each combination: the same as asking the policy of every event."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from auditlog.events.event import to_request
from auditlog.events.evidence import Evidence
from auditlog.policy.evaluate import compile_policy
from auditlog.policy.model import GroupResources, Level, Policy, PolicyRule
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.read import read_policy
from tests.unit.events.generate import ALICE, events
from tests.unit.events.incident import incident, request, seen

NAMING = Policy(
    (
        PolicyRule(
            Level.NONE, resources=(GroupResources("", ("secrets", "namespaces"), ("secret-1", "secret-7", "x")),)
        ),
        PolicyRule(Level.REQUEST, namespaces=("prod", "")),
        PolicyRule(Level.METADATA),
    )
)


def log() -> list[dict[str, Any]]:
    made = list(islice(events(7, seconds_between=1), 1500))
    itself = {"resource": "namespaces", "name": "x", "namespace": "x"}
    namespaces = [
        request(ALICE, "create", "configmaps", "x", 0, namespace="x"),
        {**request(ALICE, "create", "configmaps", "x", 1), "objectRef": itself},
        {**request(ALICE, "create", "secrets", "x", 2), "requestURI": "/api/v1/namespaces/prod/secrets/x"},
        request(ALICE, "create", "secrets", "x", 3),
    ]
    return [*made, *incident(), *namespaces, *made[:200]]


@pytest.mark.parametrize(
    "policy",
    [*(read_policy(preset_text(name), name) for name in preset_names()), NAMING, Policy(())],
    ids=lambda policy: policy.source or str(len(policy.rules)),
)
def test_remembered_decisions_are_those_of_the_policy(policy: Policy) -> None:
    sightings = [seen(each) for each in log()]
    evidence = Evidence(policy)
    decide, expected = compile_policy(policy), []
    for sighting in evidence.over(sightings):
        event = sighting.event
        decision = decide(to_request(event))
        expected.append(event.level != decision.level or event.stage in decision.omit_stages)
        assert evidence.disagreeing == sum(expected), event
