"""The way to Loki: from this machine, or through the SSH connection to a node, which reaches Loki to ship there."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from auditlog.events.loki import LokiAccess, LokiError
from auditlog.nodes.ssh_library import asyncssh
from auditlog.observe.loki_access import access_with
from auditlog.settings import LokiSettings

_SERVICE = re.compile(r"(?P<name>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc(\.[a-z0-9.-]+)?")


def query_url(loki: LokiSettings) -> str:
    """The URL at which Loki is queried."""
    return loki.query_url or loki.url


def service_of(loki: LokiSettings) -> str:
    """``namespace/name`` if Loki is a Service of the cluster and queried through the nodes; else "".

    The nodes cannot resolve a Service's name.
    """
    match = _SERVICE.fullmatch(urlsplit(query_url(loki)).hostname or "") if loki.query_through_nodes else None
    return f"{match['namespace']}/{match['name']}" if match else ""


@dataclass(frozen=True, slots=True)
class Destination:
    """What the node connects to."""

    host: str
    port: int


def destination(loki: LokiSettings, service_address: str) -> Destination:
    """What a node connects to for Loki. ``service_address`` is the Service's. Raises LokiError if it has none."""
    parts = urlsplit(query_url(loki))
    port = parts.port or (443 if parts.scheme == "https" else 80)
    service = service_of(loki)
    if service and not re.fullmatch(r"[0-9a-f.:]+", service_address):
        raise LokiError(
            f"the cluster has no Service {service} with an address; allowed for loki.queryUrl: a name or address that "
            "the nodes know"
        )
    return Destination(service_address if service else parts.hostname or "", port)


@asynccontextmanager
async def through_node(
    loki: LokiSettings, connection: asyncssh.SSHClientConnection, service_address: str
) -> AsyncIterator[LokiAccess]:
    """Access to Loki over the connection, until the block ends. Nobody else on this machine can use it.

    Raises LokiError if the node does not reach Loki.
    """
    there = destination(loki, service_address)
    with tempfile.TemporaryDirectory(prefix="loki-") as folder:
        socket = str(Path(folder) / "socket")
        listener = await connection.forward_local_path_to_port(socket, there.host, there.port)
        async with listener:
            await _try(connection, there)
            yield access(loki, socket)


def access(loki: LokiSettings, socket: str = "") -> LokiAccess:
    """Loki's address and credentials, from the settings."""
    return access_with(loki, query_url(loki), "loki.queryUrl", socket)


async def _try(connection: asyncssh.SSHClientConnection, there: Destination) -> None:
    """Raises LokiError with the reason if the node cannot connect. The listener would only close the connection."""
    try:
        _, writer = await connection.open_connection(there.host, there.port)
    except asyncssh.ChannelOpenError as error:
        raise LokiError(
            f"the node does not reach {there.host}:{there.port} ({error.reason or 'refused'}); loki.queryUrl names "
            "another address, loki.queryThroughNodes: false asks from this machine"
        ) from error
    writer.close()
