"""The detections under a policy that `tune` made from a log in which none of their actions is.

What a detection needs must be kept although the log never showed that it is needed.
"""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from auditlog.cli import main
from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.model import Detection, Events
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_expressions
from auditlog.units import DAY
from lab.api import Lab, Node
from lab.observability import loki_api
from lab.observability.stack import Observability
from lab.stack import PulumiStack
from tests.lab.test_first_stack import LOG
from tests.observability.detection_actions import ACTIONS, PREPARE
from tests.observability.normal_operations import operate
from tests.observability.shipping import eventually
from tests.observability.test_detections import place_to_act

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(1800)]

PRESET = "forensic"
SHARE = 0.6
"""The budget is that of what the preset writes: what is left has to come from more than noise."""
KEPT = tuple(each for each in DETECTIONS if isinstance(each.source, Events) and each.source.annotated is None)


@pytest.fixture(scope="module")
def shipped(
    lab: Lab, observability: Observability, stack: PulumiStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Observability]:
    """The stack with the tuned policy, and a namespace for what is done."""
    folder = tmp_path_factory.mktemp("tuned")
    node = lab.nodes[0]
    with place_to_act(lab, observability, stack, policy={"preset": PRESET}):
        node.run(f": >{LOG}")
        operate(lab, observability, folder, 0)
        log = folder / "audit.log"
        log.write_text(node.run(f"zcat -f {LOG.removesuffix('.log')}-2*.log* {LOG}", check=False).stdout)
        found = json.loads(tuned(log, "json"))
        print(f"{log.stat().st_size} bytes, {len(found['steps'])} steps, met: {found['met']}")
        assert found["steps"]
        assert not found["lost"]["detections"]
        observability.configure(stack, policy={"preset": PRESET, **yaml.safe_load(tuned(log, "overlay"))["policy"]})
        stack.run("up", "--yes", "--skip-preview")
        yield observability


@pytest.mark.parametrize("detection", KEPT, ids=lambda each: each.id)
def test_it_fires_under_a_tuned_policy(detection: Detection, node: Node, shipped: Observability) -> None:
    expression, *_ = loki_expressions(RuleScope("lab"), detection)
    done = node.run(PREPARE + ACTIONS[detection.id], check=False)
    fired = eventually(lambda: loki_api.instant(shipped.loki.url, expression, time.time_ns()), bool)
    assert fired, done


def tuned(log: Path, form: str) -> str:
    """What `tune` answers about the log, for that share of what it takes."""
    stamps = [datetime.fromisoformat(json.loads(line)["stageTimestamp"]) for line in log.read_text().splitlines()]
    space = round(SHARE * log.stat().st_size / (max(stamps) - min(stamps)).total_seconds() * 30 * DAY)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        main(["tune", str(log), "--policy", f"preset:{PRESET}", "--keep", "30d", "--in", str(space), "-o", form])
    return said.getvalue()
