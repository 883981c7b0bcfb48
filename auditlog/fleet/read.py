"""Reads many clusters, some at a time; of each only its row is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from auditlog.errors import AuditlogError
from auditlog.fleet.row import Row, row_of, unread_row
from auditlog.nodes.facts import Facts
from auditlog.nodes.read_nodes import ReadError, read_cluster
from auditlog.nodes.ssh import Access
from auditlog.policy.selection import SelectedPolicy
from auditlog.settings import Settings

AT_ONCE = 40
"""Clusters that are read at a time. What takes long is a host that does not answer, 15 seconds: others do not wait."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a stack file says about a cluster."""

    stack: str
    """The stack's name."""
    settings: Settings
    """What it asks for."""
    policy: SelectedPolicy
    """The policy."""
    owner: str
    """What the stack writes on its nodes."""
    static_policies: str = ""
    """The file of admission policies on its nodes; empty where files deliver none."""


async def read_fleet(
    clusters: Sequence[Cluster], access: Access, at_once: int, done: Callable[[int], object] = lambda _: None
) -> tuple[Row, ...]:
    """A row for each cluster, in their order. ``done`` is called each time that one is over."""
    slots = asyncio.Semaphore(at_once)

    async def read(cluster: Cluster) -> Row:
        async with slots:
            row = await _row(cluster, access)
        done(1)
        return row

    return tuple(await asyncio.gather(*map(read, clusters)))


async def _row(cluster: Cluster, access: Access) -> Row:
    settings = cluster.settings
    readings: Mapping[str, Facts | str]
    try:
        readings = await read_cluster(settings, access)
    except ReadError as error:
        readings = {node.name: f"{node.name}: {error}" for node in settings.nodes_to_read}
    try:
        # Comparing takes a tenth of a second of this process: meanwhile others answer.
        return await asyncio.to_thread(
            row_of, cluster.stack, settings, cluster.policy, cluster.owner, readings, cluster.static_policies
        )
    except AuditlogError as error:
        return unread_row(cluster.stack, f"what its nodes say cannot be compared: {error}")
