"""Gives Loki events that no API server wrote, with the structured metadata that the Alloy configuration sets."""

from __future__ import annotations

import itertools
import json
import re
import time
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any

from auditlog.events.logql import JOB
from auditlog.observe.alloy import STRUCTURED_METADATA
from tests.unit.detections.events import Example

_CLUSTERS = itertools.count()
_BATCH = 1000
"""Lines of one request: Loki's parts exchange at most 4 MiB."""
_STEP = re.compile(r'"(?P<quoted>[^"]+)"|(?P<name>\w+)|\[(?P<index>\d+)\]')


def push(url: str, example: Example, cluster: str = "") -> str:
    """Gives the events to Loki, as of a moment ago; returns the label `cluster`, which only they have unless given."""
    cluster = cluster or f"example-{time.time_ns()}-{next(_CLUSTERS)}"
    push_lines(url, cluster, "cp1", example.lines(time.time() - 1))
    return cluster


def push_lines(
    url: str, cluster: str, node: str, lines: Iterable[tuple[float, str]], labels: Mapping[str, str] | None = None
) -> None:
    """Gives Loki lines of one node, each with its time in seconds since 1970; ``labels`` beside the usual ones."""
    rest = iter(lines)
    while part := list(itertools.islice(rest, _BATCH)):
        values = [[str(int(moment * 1e9)), line, metadata(line)] for moment, line in part]
        stream = {"stream": {"job": JOB, "cluster": cluster, "node": node, **(labels or {})}, "values": values}
        request = urllib.request.Request(  # noqa: S310
            f"{url}/loki/api/v1/push",
            json.dumps({"streams": [stream]}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            assert answer.status == 204


def metadata(line: str) -> dict[str, str]:
    """The structured metadata of a line; what an event does not have is missing."""
    event = json.loads(line)
    found = {name: at(event, path) for name, path in STRUCTURED_METADATA.items()}
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in found.items()
        if value is not None and value != ""
    }


def at(event: Any, path: str) -> Any:
    """The value at a path of JMESPath as far as the configuration uses it, or None."""
    value = event
    for step in _STEP.finditer(path):
        if step["index"] is not None:
            value = value[int(step["index"])] if isinstance(value, list) and len(value) > int(step["index"]) else None
        else:
            value = value.get(step["quoted"] or step["name"]) if isinstance(value, dict) else None
    return value
