"""A real Loki decides what each detection's rule makes of events that must make it fire, and of those that must not.

Every example is a cluster of its own in Loki, so that no other one has a part in the answer.
"""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from auditlog.detections.catalogue import find
from auditlog.events.budget import Budget
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_expressions
from auditlog.settings import AlertSettings
from lab.observability import loki_api
from lab.observability.stack import Observability
from tests.observability.given_events import at, push
from tests.unit.detections.events import Example
from tests.unit.detections.examples import FIRES, QUIET

FIRING = [(each, example) for each, examples in FIRES.items() for example in examples]
SILENT = [(each, example) for each, examples in QUIET.items() for example in examples]


def test_the_reading_of_paths_is_that_of_alloy() -> None:
    event = {"a": {"b": ["x", "y"]}, "annotations": {"k8s.io/c": "z"}}
    assert at(event, "a.b[1]") == "y"
    assert at(event, 'annotations."k8s.io/c"') == "z"
    assert at(event, "a.missing") is None


@pytest.mark.parametrize(("detection_id", "example"), FIRING, ids=[each for each, _ in FIRING])
def test_it_fires(detection_id: str, example: Example, servers: Observability) -> None:
    samples = ask(servers.loki.url, detection_id, example)
    detection = find(detection_id)
    assert detection is not None
    assert samples, example
    for label in re.findall(r"\$labels\.(\w+)", detection.summary):
        if label in ("user", "sourceIP", "verb", "impersonated", "userAgent", "subresource"):
            assert all(sample["metric"].get(label) for sample in samples), f"the summary lacks {label}"


@pytest.mark.parametrize(("detection_id", "example"), SILENT, ids=[each for each, _ in SILENT])
def test_it_stays_silent(detection_id: str, example: Example, servers: Observability) -> None:
    assert ask(servers.loki.url, detection_id, example) == []


def test_an_ignored_user_does_not_make_it_fire(servers: Observability) -> None:
    ignoring = AlertSettings(ignore_users={"exec-session": ("alice",)})
    example = FIRES["exec-session"][0]
    assert ask(servers.loki.url, "exec-session", example, ignoring) == []


def test_a_silent_node_is_told_from_one_that_speaks(servers: Observability) -> None:
    cluster = push(servers.loki.url, FIRES["exec-session"][0])
    detection = find("no-events-from-node")
    assert detection is not None
    scope = RuleScope(cluster, ("cp1", "cp2"))
    speaking, silent = (
        loki_api.instant(servers.loki.url, query, time.time_ns()) for query in loki_expressions(scope, detection)
    )
    assert speaking == []
    assert [sample["metric"]["node"] for sample in silent] == ["cp2"]


def test_a_node_that_writes_more_than_its_budget_holds_is_told_from_one_that_does_not(servers: Observability) -> None:
    cluster = push(servers.loki.url, FIRES["exec-session"][0])
    detection = find("audit-budget-missed")
    assert detection is not None
    answers = []
    for size in (300, 3_000_000):
        (query,) = loki_expressions(RuleScope(cluster, budget=Budget(30, size)), detection)
        answers.append(loki_api.instant(servers.loki.url, query, time.time_ns()))
    assert [sample["metric"]["node"] for sample in answers[0]] == ["cp1"]
    assert answers[1] == []


def ask(url: str, detection_id: str, example: Example, settings: AlertSettings | None = None) -> list[dict[str, Any]]:
    """What the detection's rule gives for these events alone."""
    detection = find(detection_id)
    assert detection is not None
    scope = RuleScope(push(url, example), settings=settings or AlertSettings())
    (expression,) = loki_expressions(scope, detection)
    return loki_api.instant(url, expression, time.time_ns())
