"""A stack on the lab that ships to the lab's own Loki, and what was read there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from lab import cgroups, cluster
from lab.api import Lab
from lab.observability import loki_api
from lab.observability.loki_api import Entry
from lab.observability.stack import Observability

NAMESPACE = "kubernetes-audit"
SELECTOR = '{job="kubernetes-audit"}'
STORAGE = "/var/lib/kubernetes-audit-alloy"
Value = TypeVar("Value")


@contextmanager
def cleared(lab: Lab) -> Iterator[None]:
    """The cluster without Alloy, also after a run that was killed."""
    remove = ("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=180s")
    lab.kubectl(*remove)
    yield
    lab.kubectl(*remove)


def restart_node(lab: Lab) -> None:
    """End every process of the first node, as a loss of power would, and start it again."""
    cgroups.end_all(lab.nodes[0].state.cgroup)
    cluster.up(lab.paths, nodes=len(lab.nodes), minor=lab.state.kubernetes)


def entries(observability: Observability, query: str, since: float) -> list[Entry]:
    """What Loki answers to a log query, from ``since`` (seconds since 1970) to now."""
    now = time.time_ns()
    return list(loki_api.entries(observability.loki.url, query, int(since * 1e9), now))


def eventually(
    read: Callable[[], Value],
    wanted: Callable[[Value], bool],
    seconds: float = 300,
    progress: Callable[[Value], object] = lambda _: None,
) -> Value:
    """The first value that is wanted, or the last one, after so many seconds without ``progress``."""
    deadline, before = time.monotonic() + seconds, None
    while True:
        value = read()
        if (now := progress(value)) != before:
            deadline, before = time.monotonic() + seconds, now
        if wanted(value) or time.monotonic() > deadline:
            return value
        time.sleep(1)
