"""Nothing lost, nothing twice, while everything on the way from the API server to Loki fails in turn.

A killed Alloy may leave out what it had read of the file that is still written to (`auditlog.observe.alloy` says why).
That comes when Alloy starts again and the file has been rotated.

``SHIPPING_REQUESTS`` says how many requests; ``make test-load`` sets 100,000.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest

from lab.api import Lab
from lab.audit_logs import file_lines
from lab.observability import compare
from lab.observability.load import Load
from lab.observability.stack import Observability
from lab.stack import PulumiStack
from tests.observability.shipping import NAMESPACE, cleared, eventually, restart_node

REQUESTS = int(os.environ.get("SHIPPING_REQUESTS", "10000"))
# The load has to outlast a minute without Loki and the restart of a node.
SECONDS = 180
POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n  - level: Metadata\n"


def kill_alloy(lab: Lab) -> float:
    """Give Alloy no time to deliver or to note anything; gives the moment, in seconds since 1970."""
    for node in lab.nodes:
        node.run("pkill -KILL -x alloy")
    return time.time()


def file_began(lab: Lab) -> float:
    """When the first event of the file that is written to was written, in seconds since 1970."""
    files = [lab.paths.node(node.name) / compare.LOGS / "audit.log" for node in lab.nodes]
    # It is empty for a moment after the one before was rotated away.
    lines = [eventually(partial(first_line, file), bool) for file in files]
    return min(compare.seconds(json.loads(line)["stageTimestamp"]) for line in lines)


def first_line(file: Path) -> str:
    with file.open() as opened:
        return opened.readline()


def restart_alloy(lab: Lab) -> None:
    """Have Alloy end and start as an update of its DaemonSet does."""
    lab.kubectl("-n", NAMESPACE, "delete", "pods", "--all", "--timeout=120s")


def written(lab: Lab, wanted: Iterable[compare.EventKey]) -> list[float]:
    """When these events were written, in seconds since 1970."""
    keys = set(wanted)
    lines = (line for node in lab.nodes for line in file_lines(lab.paths.node(node.name) / compare.LOGS))
    events = (json.loads(line) for line in lines)
    return [compare.seconds(event["stageTimestamp"]) for event in events if (event["auditID"], event["stage"]) in keys]


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
            written_to_since = file_began(lab)
            last_kill = kill_alloy(lab)
        until = time.time()

        def compared() -> compare.Comparison:
            return compare.compare(lab, observability.loki.url, started, until)

        caught_up = eventually(compared, lambda result: not result.missing, 180)
        print("\n".join(caught_up.lines()))
        left_out = written(lab, caught_up.missing)
        restart_alloy(lab)
        found = eventually(compared, lambda result: result.equal, 300)
        print("after an orderly restart of Alloy:", *found.lines(), sep="\n")
        rotated = [path for node in lab.nodes for path in (lab.paths.node(node.name) / compare.LOGS).glob("audit-*")]
        stack.run("destroy", "--yes", "--skip-preview")
    assert not caught_up.surplus
    # Requests are written in the order in which they end, which is not quite that of their timestamps.
    assert all(written_to_since - 1 < moment < last_kill for moment in left_out)
    assert found.equal, "\n".join(found.lines())
    assert found.files.total() > REQUESTS
    assert len(rotated) >= REQUESTS // 1500
