"""The detections under the preset `lean`: no body is written, and admission policies say in each event what changed.

Those that read no annotation ask the same of both presets; they are run here with `make test-exhaustive`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from auditlog.annotations.read import catalogue
from auditlog.detections.annotated import annotated_form
from auditlog.detections.catalogue import DETECTIONS, find
from auditlog.detections.logql import value_query
from auditlog.detections.model import Detection, Events
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_expressions
from lab.api import Lab, Node
from lab.observability import loki_api
from lab.observability.stack import Observability
from lab.stack import PulumiStack
from tests.observability.detection_actions import ACTIONS, PADDED, PREPARE
from tests.observability.shipping import entries, eventually
from tests.observability.test_detections import place_to_act

ON_EVENTS = tuple(each for each in DETECTIONS if isinstance(each.source, Events))
_SETTLED_SECONDS = 600


def asked(detection: Detection) -> str:
    """The rule's expression, of which what reads an annotation is asked alone."""
    source = detection.source
    if isinstance(source, Events) and source.annotated is not None:
        return value_query(annotated_form(source, source.annotated), "lab")
    expression, *_ = loki_expressions(RuleScope("lab", entries=catalogue()), detection)
    return expression


@pytest.fixture(scope="module")
def shipped(lab: Lab, observability: Observability, stack: PulumiStack) -> Iterator[Observability]:
    began = time.time()
    with place_to_act(lab, observability, stack, policy={"preset": "lean"}, annotations={"delivery": "api"}):
        # A policy is in force some seconds after it was made.
        time.sleep(10)
        yield observability
        with_bodies = '{job="kubernetes-audit"} | level!="Metadata"'
        assert not entries(observability, f'{with_bodies} | userAgent=~"kubectl.*"', began)
    # What was done is cleared away by now: namespaces do not go while an APIService answers nobody.
    stack.run("destroy", "--yes", "--skip-preview")


@pytest.mark.parametrize(
    "detection",
    [
        pytest.param(
            each, marks=() if isinstance(each.source, Events) and each.source.annotated else pytest.mark.exhaustive
        )
        for each in ON_EVENTS
    ],
    ids=lambda each: each.id,
)
def test_it_fires_when_its_action_is_done(detection: Detection, node: Node, shipped: Observability) -> None:
    done = node.run(PREPARE + ACTIONS[detection.id], check=False)
    fired = eventually(lambda: loki_api.instant(shipped.loki.url, asked(detection), time.time_ns()), bool)
    assert fired, done


@pytest.mark.exhaustive
@pytest.mark.timeout(1200)
def test_a_workload_that_is_too_large_to_be_annotated_rings(node: Node, shipped: Observability) -> None:
    detection = find("write-without-annotations")
    assert detection is not None

    def fired() -> set[str]:
        found = loki_api.instant(shipped.loki.url, asked(detection), time.time_ns())
        return {sample["metric"].get("name", "") for sample in found}

    # It is silent while policies of ours are being changed, and for some minutes after that.
    deadline = time.monotonic() + _SETTLED_SECONDS
    while time.monotonic() < deadline and "padded" not in fired():
        node.run(PREPARE + "$K -n detections delete deployment padded --ignore-not-found" + PADDED, check=False)
        time.sleep(15)
    assert fired() == {"padded"}
