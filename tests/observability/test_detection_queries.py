"""A real Loki decides what each detection's rule makes of events that must make it fire, and of those that must not.

Every example is a cluster of its own in Loki, so that no other one has a part in the answer.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

import pytest

from auditlog.annotations.model import Entry
from auditlog.annotations.read import catalogue
from auditlog.detections.catalogue import find
from auditlog.events import logql
from auditlog.events.budget import Budget
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_expressions
from auditlog.settings import AlertSettings
from lab.observability import loki_api
from lab.observability.stack import Observability
from tests.observability.given_events import at, push
from tests.unit.detections import annotated_examples
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


ANNOTATED_FIRING = [(each, example) for each, examples in annotated_examples.FIRES.items() for example in examples]
ANNOTATED_SILENT = [(each, example) for each, examples in annotated_examples.QUIET.items() for example in examples]


@pytest.mark.parametrize(("detection_id", "example"), ANNOTATED_FIRING, ids=[each for each, _ in ANNOTATED_FIRING])
def test_it_fires_at_metadata_with_annotations(detection_id: str, example: Example, servers: Observability) -> None:
    assert ask(servers.loki.url, detection_id, example) == []
    assert ask(servers.loki.url, detection_id, example, entries=catalogue())


@pytest.mark.parametrize(("detection_id", "example"), ANNOTATED_SILENT, ids=[each for each, _ in ANNOTATED_SILENT])
def test_it_stays_silent_with_annotations(detection_id: str, example: Example, servers: Observability) -> None:
    assert ask(servers.loki.url, detection_id, example, entries=catalogue()) == []


@pytest.mark.parametrize("example", annotated_examples.UNANNOTATED)
def test_a_write_without_its_sentinel_rings(example: Example, servers: Observability) -> None:
    (sample,) = ask(servers.loki.url, "write-without-annotations", example, entries=catalogue())
    assert sample["metric"]["user"] == example.request.user


@pytest.mark.parametrize("example", annotated_examples.ANNOTATED)
def test_one_with_all_of_them_does_not(example: Example, servers: Observability) -> None:
    assert ask(servers.loki.url, "write-without-annotations", example, entries=catalogue()) == []


def test_what_is_written_while_our_policies_change_has_an_alert_of_its_own(servers: Observability) -> None:
    lost, changed = annotated_examples.UNANNOTATED[0], FIRES["annotation-policy-changed"][0]
    cluster = push(servers.loki.url, lost)
    detection = find("write-without-annotations")
    assert detection is not None
    (expression,) = loki_expressions(RuleScope(cluster, entries=catalogue()), detection)
    assert loki_api.instant(servers.loki.url, expression, time.time_ns())
    push(servers.loki.url, changed, cluster)
    assert loki_api.instant(servers.loki.url, expression, time.time_ns()) == []


@pytest.mark.parametrize(
    ("stages", "example", "labels"),
    [
        (
            logql.WITH_CHANGES,
            annotated_examples.annotated(
                "alice update deployments.apps default/web", workload_change={"images": "a: x -> y"}
            ),
            {"changed": "images a: x -> y "},
        ),
        (logql.WITH_CHANGES, Example("alice get pods default/web"), {"changed": ""}),
        (
            logql.WITH_ROLE,
            annotated_examples.FIRES["cluster-admin-bound"][0],
            {"role": "cluster-admin", "subjects": "User a"},
        ),
    ],
)
def test_a_table_says_what_changed(
    stages: str, example: Example, labels: Mapping[str, str | None], servers: Observability
) -> None:
    query = logql.pipeline(logql.streams(f'cluster="{push(servers.loki.url, example)}"'), stages)
    now = time.time_ns()
    (found,) = loki_api.entries(servers.loki.url, query, now - 60 * 10**9, now + 10**9)
    assert {name: found.parsed.get(name) for name in labels} == labels
    assert not any(name.startswith("said") for name in found.parsed)


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


def ask(
    url: str,
    detection_id: str,
    example: Example,
    settings: AlertSettings | None = None,
    entries: tuple[Entry, ...] = (),
) -> list[dict[str, Any]]:
    """What the detection's rule gives for these events alone. `entries` are the annotations in use."""
    detection = find(detection_id)
    assert detection is not None
    scope = RuleScope(push(url, example), settings=settings or AlertSettings(), entries=entries)
    expression, *_ = loki_expressions(scope, detection)
    return loki_api.instant(url, expression, time.time_ns())
