"""No shipped detection fires in ten minutes of what goes on in a healthy cluster, with the recommended policy."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from auditlog.annotations.model import Entry
from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.model import Detection, Events
from auditlog.detections.schedule import schedule_of
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_expressions
from auditlog.observe.rules_prometheus import prometheus_expressions
from lab.api import Lab
from lab.observability import loki_api, prometheus_api
from lab.observability.stack import Observability
from lab.stack import CLUSTER, PulumiStack
from tests.observability import normal_operations
from tests.observability.shipping import SELECTOR, cleared, eventually

pytestmark = pytest.mark.exhaustive

SECONDS = 600
INTERVAL = 60
"""Seconds between two looks at a rule, at most as long as between two evaluations of it."""
# What the rules on metrics look back, but for the two that compare with hours and days ago.
METRICS_WINDOW = 300
SEEN = {
    "a rollout": 'user="alice@example.com" | verb="patch" | resource="deployments"',
    "scaling": 'user="alice@example.com" | subresource="scale"',
    "logs": 'user="alice@example.com" | resource="pods" | subresource="log"',
    "a refused read": 'user="alice@example.com" | verb="list" | resource="nodes" | code="403"',
    "a drain": 'user="kubernetes-admin" | verb="create" | subresource="eviction"',
    "an operator's reads": 'user="kubernetes-admin" | verb="list" | resource="events"',
    "a job's end": 'user="system:serviceaccount:kube-system:job-controller" | verb="update" | subresource="status"',
    "the node's return": 'user="system:node:cp1" | verb="create" | resource="nodes"',
}


@dataclass(frozen=True)
class Operations:
    """From when to when they went on, in seconds since 1970, and the servers that saw them."""

    started: float
    ended: float
    servers: Observability


@contextmanager
def operated(
    lab: Lab, observability: Observability, stack: PulumiStack, folder: Path, **settings: object
) -> Iterator[Operations]:
    """A stack with such settings that ships to Loki, and everything done on it."""
    with cleared(lab):
        observability.configure(stack, **settings)
        stack.run("up", "--yes", "--skip-preview")
        started = time.time()
        normal_operations.operate(lab, observability, folder, SECONDS)
        ended = time.time()
        # Each evaluation is of a moment that is over, and Loki has what happened until then.
        time.sleep(INTERVAL)
        yield Operations(started, ended, observability)
        stack.run("destroy", "--yes", "--skip-preview")


@pytest.fixture(scope="module")
def operations(
    lab: Lab, observability: Observability, stack: PulumiStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operations]:
    folder = tmp_path_factory.mktemp("operations")
    with operated(lab, observability, stack, folder, policy={"preset": "standard"}) as found:
        yield found


@pytest.mark.timeout(2700)
@pytest.mark.parametrize("query", SEEN.values(), ids=SEEN)
def test_what_was_done_is_in_loki(query: str, operations: Operations) -> None:
    window = math.ceil(time.time() - operations.started)
    count = f"sum(count_over_time({SELECTOR} | {query} [{window}s]))"
    assert eventually(lambda: loki_api.instant(operations.servers.loki.url, count), bool)


@pytest.mark.parametrize("job", ["apiserver", "alloy", "loki"])
def test_what_is_measured_was_scraped(job: str, operations: Operations) -> None:
    url = operations.servers.prometheus.url
    moments = range(math.ceil(operations.started), math.floor(operations.ended), INTERVAL)
    answered = [bool(prometheus_api.instant(url, f'up{{job="{job}"}} == 1', moment)) for moment in moments]
    assert sum(answered) > len(answered) / 2


@pytest.mark.parametrize("detection", DETECTIONS, ids=lambda detection: detection.id)
def test_it_stays_silent(detection: Detection, lab: Lab, operations: Operations) -> None:
    assert_silent(detection, lab, operations)


def assert_silent(detection: Detection, lab: Lab, operations: Operations, entries: tuple[Entry, ...] = ()) -> None:
    """No rule of the detection fires at any moment. `entries` are the annotations in use."""
    names, addresses = [node.name for node in lab.nodes], [node.address for node in lab.nodes]
    scope = RuleScope(CLUSTER, tuple(names), (*names, *addresses), entries=entries)
    window = schedule_of(detection).window if isinstance(detection.source, Events) else METRICS_WINDOW
    # A window that begins earlier has what was done to set all this up in it.
    first = math.ceil(operations.started) + window
    moments = range(first, max(first, math.floor(operations.ended)) + INTERVAL, INTERVAL)
    loki, prometheus = operations.servers.loki.url, operations.servers.prometheus.url
    for expression in loki_expressions(scope, detection):
        found = [loki_api.instant(loki, expression, moment * 1_000_000_000) for moment in moments]
        assert not fires(found, detection.hold), found
    for expression in prometheus_expressions(scope, detection):
        found = [prometheus_api.instant(prometheus, expression, moment) for moment in moments]
        assert not fires(found, detection.hold), found


def test_a_rule_fires_once_it_has_held_for_long_enough() -> None:
    here, there = {"metric": {"node": "cp1"}}, {"metric": {"node": "cp2"}}
    assert not fires([[], []], hold=0)
    assert fires([[], [here]], hold=0)
    assert not fires([[here], [], [here]], hold=INTERVAL)
    assert not fires([[here], [there]], hold=INTERVAL)
    assert fires([[there], [there, here]], hold=INTERVAL)


def fires(samples: Sequence[list[dict[str, Any]]], hold: int) -> bool:
    """Whether a rule evaluated every ``INTERVAL`` fires: a series is there for ``hold`` seconds without a gap."""
    since: dict[frozenset[tuple[str, str]], int] = {}
    for number, at_once in enumerate(samples):
        series = [frozenset(sample["metric"].items()) for sample in at_once]
        since = {each: since.get(each, number) for each in series}
        if any((number - begun) * INTERVAL >= hold for begun in since.values()):
            return True
    return False
