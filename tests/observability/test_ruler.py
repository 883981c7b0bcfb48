"""Real Loki's ruler takes every rule as it is deployed, and has the metrics by which its silence rings. No lab."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from auditlog.detections.catalogue import find
from auditlog.detections.model import Metrics
from auditlog.observe.ruler import drift_of
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_rules
from tests.observability.pipeline import Pipeline, running

RULES = loki_rules(RuleScope("prod", ("cp1", "cp2")))
_SECONDS = 300


@pytest.fixture(scope="module")
def ruler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Loki with the rules in the folder of its tenant, once it has loaded them."""
    folder: Path = tmp_path_factory.mktemp("ruler") / "pipeline"
    rules = folder / "loki" / "rules" / "fake"
    rules.mkdir(parents=True)
    (rules / "kubernetes-audit-prod-loki-rules.yaml").write_text(RULES.text)
    with running(folder) as pipeline:
        deadline = time.monotonic() + _SECONDS
        while not loaded(pipeline) and time.monotonic() < deadline:
            time.sleep(1)
        yield pipeline


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310
        text: str = answer.read().decode()
        return text


def loaded(pipeline: Pipeline) -> dict[str, int]:
    """How many rules each group has."""
    groups = json.loads(get(f"{pipeline.loki_url}/prometheus/api/v1/rules"))["data"]["groups"]
    return {group["name"]: len(group["rules"]) for group in groups}


def test_every_rule_is_loaded(ruler: Pipeline) -> None:
    assert loaded(ruler) == {group["name"]: len(group["rules"]) for group in RULES.groups}


def test_the_ruler_keeps_every_rule_as_it_is_written(ruler: Pipeline) -> None:
    """Loki's ruler does not keep all that Prometheus' format allows (loki v3.7.8, pkg/ruler/rulespb)."""
    (namespace,) = yaml.safe_load(get(f"{ruler.loki_url}/loki/api/v1/rules")).values()
    live = {group["name"]: group for group in namespace}
    assert [drift for group in RULES.groups if (drift := drift_of(group, live.get(group["name"])))] == []


@pytest.mark.parametrize("detection_id", ["rules-not-evaluated", "rule-evaluation-failures"])
def test_the_metrics_that_watch_the_rules_are_there(ruler: Pipeline, detection_id: str) -> None:
    detection = find(detection_id)
    assert detection is not None
    assert isinstance(detection.source, Metrics)
    exported = get(f"{ruler.loki_url}/metrics")
    names = set(re.findall(r"loki_prometheus_\w+", detection.source.expression))
    assert names
    for name in names:
        groups = re.findall(rf'^{name}\{{rule_group="[^"]*;([^"]*)"', exported, re.MULTILINE)
        assert set(groups) == set(RULES.names), name
