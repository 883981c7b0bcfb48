"""Nothing lost, nothing twice, while everything on the way from the API server to Loki fails in turn.

A killed Alloy may leave out events of the file that is written to, and of the next one where it is rotated before Alloy
is back (`auditlog.observe.alloy` says why). They come when Alloy starts again and both files have been rotated.

``SHIPPING_REQUESTS`` says how many requests; ``make test-load`` sets 100,000.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from lab.api import Lab
from lab.audit_logs import whole_lines
from lab.observability import compare
from lab.observability.load import Load
from lab.observability.stack import Observability
from lab.stack import PulumiStack
from tests.observability.shipping import NAMESPACE, cleared, eventually, restart_node

REQUESTS = int(os.environ.get("SHIPPING_REQUESTS", "10000"))
# The load has to outlast a minute without Loki and the restart of a node.
SECONDS = 180
POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n  - level: Metadata\n"


def kill_alloy(lab: Lab) -> None:
    """Give Alloy no time to deliver or to note anything."""
    for node in lab.nodes:
        node.run("pkill -KILL -x alloy")


def rotated(lab: Lab) -> list[Path]:
    """The files that were rotated away on the only node, in their order."""
    return sorted((lab.paths.node(lab.nodes[0].name) / compare.LOGS).glob("audit-2*"))


def restart_alloy(lab: Lab) -> None:
    """Have Alloy end and start as an update of its DaemonSet does."""
    lab.kubectl("-n", NAMESPACE, "delete", "pods", "--all", "--timeout=120s")


def files_with(lab: Lab, wanted: Iterable[compare.EventKey]) -> set[int]:
    """Which of the node's files, counted from the first, hold any of these events."""
    keys = set(wanted)
    files = [*rotated(lab), lab.paths.node(lab.nodes[0].name) / compare.LOGS / "audit.log"]
    found = set()
    for number, file in enumerate(files):
        with file.open("rb") as opened:
            events = map(json.loads, whole_lines(opened))
            if any((event["auditID"], event["stage"]) in keys for event in events):
                found.add(number)
    return found


@pytest.mark.timeout(3600)
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
            written_to = len(rotated(lab))
            kill_alloy(lab)
        until = time.time()

        def compared() -> compare.Comparison:
            return compare.compare(lab, observability.loki.url, started, until)

        caught_up = eventually(compared, lambda result: not result.missing, 180)
        print("\n".join(caught_up.lines()))
        left_out = files_with(lab, caught_up.missing)
        restart_alloy(lab)
        found = eventually(compared, lambda result: result.equal, 300)
        print("after an orderly restart of Alloy:", *found.lines(), sep="\n")
        rotations = len(rotated(lab))
        stack.run("destroy", "--yes", "--skip-preview")
    assert not caught_up.surplus
    assert left_out <= {written_to, written_to + 1}, (
        f"of the files {left_out}; killed while {written_to} was written to"
    )
    assert found.equal, "\n".join(found.lines())
    assert found.files.total() > REQUESTS
    assert rotations >= REQUESTS // 1500
