"""Alloy's own counters say how much it ships, of what: real Alloy, real Loki, no lab."""

from __future__ import annotations

import re
import time
import urllib.request
from pathlib import Path

from lab.observability import loki_api
from tests.observability.pipeline import Pipeline, Writer, outcome, running

_SAMPLE = re.compile(
    r"^kubernetes_audit_(?P<what>events|bytes)_total\{(?P<labels>[^}]*)\} (?P<value>\S+)$", re.MULTILINE
)


def counters(pipeline: Pipeline) -> dict[str, tuple[dict[str, str], float]]:
    """The labels and the value of each of the two counters."""
    with urllib.request.urlopen(f"http://127.0.0.1:{pipeline.alloy_port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = {}
    for sample in _SAMPLE.finditer(text):
        labels = dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"]))
        assert sample["what"] not in found, "the writer makes one verb at one level"
        found[sample["what"]] = (labels, float(sample["value"]))
    return found


def test_events_and_bytes_are_counted_by_level_and_verb_and_lines_keep_three_labels(tmp_path: Path) -> None:
    with running(tmp_path / "pipeline") as pipeline:
        pipeline.start_alloy()
        with Writer(pipeline.logs, rate=200, rotation=60, compress=False) as writer:
            time.sleep(3)
        assert outcome(pipeline, writer).missing == 0
        found = counters(pipeline)
        for labels, _ in found.values():
            own = {"cluster": "lab", "node": "cp1", "level": "Metadata", "verb": "get"}
            assert {name: labels[name] for name in own} == own
        assert found["events"][1] == len(writer.written)
        assert found["bytes"][1] == sum(len(line.encode()) for line in writer.written.values())
        now = time.time_ns()
        entries = loki_api.entries(pipeline.loki_url, '{job="kubernetes-audit"}', now - 600 * 10**9, now)
        # Loki itself adds the last one.
        assert {frozenset(each.labels) - {"service_name"} for each in entries} == {
            frozenset({"job", "cluster", "node"})
        }
