"""Nothing lost, nothing twice, while everything on the way from the API server to Loki fails in turn.

``SHIPPING_REQUESTS`` says how many requests; ``make test-load`` sets 100,000.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lab.api import Lab
from lab.observability import compare
from lab.observability.load import Load
from lab.observability.stack import Observability
from lab.stack import PulumiStack
from tests.observability.shipping import cleared, eventually, restart_node

REQUESTS = int(os.environ.get("SHIPPING_REQUESTS", "10000"))
# The load has to outlast a minute without Loki and the restart of a node.
SECONDS = 180
POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n  - level: Metadata\n"


def kill_alloy(lab: Lab) -> None:
    """Give Alloy no time to deliver or to note anything."""
    for node in lab.nodes:
        node.run("pkill -KILL -x alloy")


def count_rotated(lab: Lab) -> int:
    """How many files were rotated away on the only node."""
    return len(list((lab.paths.node(lab.nodes[0].name) / compare.LOGS).glob("audit-2*")))


@pytest.mark.timeout(5400)
def test_every_event_of_the_files_is_in_loki_once(
    lab: Lab, observability: Observability, stack: PulumiStack, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    with cleared(lab):
        started = time.time()
        # Of the smallest size there is a new file every few seconds; none may go before Loki is back.
        log = {"maxSize": 1, "maxBackup": 2000, "maxAge": 1}
        observability.configure(stack, policy={"file": str(policy)}, auditLog=log, alloy={"catchUpMinutes": 120})
        stack.run("up", "--yes", "--skip-preview")
        with Load(lab, REQUESTS, rate=REQUESTS / SECONDS) as load:
            load.wait_for(0.1)
            kill_alloy(lab)
            load.wait_for(0.25)
            observability.stop(observability.loki)
            time.sleep(30)
            kill_alloy(lab)
            time.sleep(30)
            observability.start(observability.loki)
            load.wait_for(0.65)
            restart_node(lab)
            load.wait_for(0.8)
            kill_alloy(lab)
        until = time.time()

        def compared() -> compare.Comparison:
            return compare.compare(lab, observability.loki.url, started, until)

        found = eventually(compared, lambda result: result.equal, 300, lambda result: result.loki.total())
        print("\n".join(found.lines()))
        rotations = count_rotated(lab)
        stack.run("destroy", "--yes", "--skip-preview")
    assert found.equal, "\n".join(found.lines())
    assert found.files.total() > REQUESTS
    assert rotations >= REQUESTS // 1500
