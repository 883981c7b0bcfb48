"""Every shipped detection on events fires when its action is really done: API server, log, Alloy, Loki, rule."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from auditlog.detections.catalogue import DETECTIONS, find
from auditlog.detections.model import Events
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_expressions
from lab.api import Lab, Node
from lab.observability import loki_api
from lab.observability.stack import Observability
from lab.stack import PulumiStack
from tests.observability.detection_actions import ACTIONS, CLEAN, PREPARE
from tests.observability.shipping import cleared, eventually

ON_EVENTS = tuple(each.id for each in DETECTIONS if isinstance(each.source, Events))
# What `standard` leaves out of its bodies is not what these actions do, so every detection can fire under it.
POLICY = {"preset": "standard"}


@contextmanager
def place_to_act(lab: Lab, observability: Observability, stack: PulumiStack, **settings: object) -> Iterator[None]:
    """The stack with Alloy and such settings, up, and a namespace for what is done."""
    node = lab.nodes[0]
    with cleared(lab):
        observability.configure(stack, **settings)
        stack.run("up", "--yes", "--skip-preview")
        node.run(CLEAN, check=False)
        lab.kubectl("delete", "namespace", "detections", "--ignore-not-found", "--timeout=120s")
        lab.kubectl("create", "namespace", "detections")
        # Pods are refused until the controller has made it; kubectl waits for a creation only since 1.31.
        account = ("-n", "detections", "get", "serviceaccount", "default", "-o", "name")
        assert eventually(lambda: lab.kubectl(*account, check=False), bool)
        yield
        node.run(CLEAN, check=False)


@pytest.fixture(scope="module")
def shipped(lab: Lab, observability: Observability, stack: PulumiStack) -> Iterator[Observability]:
    with place_to_act(lab, observability, stack, policy=POLICY):
        yield observability


def test_every_detection_on_events_has_an_action() -> None:
    assert set(ACTIONS) == set(ON_EVENTS)


@pytest.mark.parametrize("detection_id", ON_EVENTS)
def test_it_fires_when_its_action_is_done(detection_id: str, node: Node, shipped: Observability) -> None:
    detection = find(detection_id)
    assert detection is not None
    expression, *_ = loki_expressions(RuleScope("lab"), detection)
    done = node.run(PREPARE + ACTIONS[detection_id], check=False)
    fired = eventually(lambda: loki_api.instant(shipped.loki.url, expression, time.time_ns()), bool)
    assert fired, done
