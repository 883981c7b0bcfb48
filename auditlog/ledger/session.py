"""The nodes of a stack over SSH, and the way to its Loki."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from auditlog.events.loki import LokiAccess, LokiError
from auditlog.ledger.loki_route import access, through_node
from auditlog.ledger.node_reader import SECONDS, SshReader
from auditlog.ledger.run import Node
from auditlog.nodes.ssh import LOGIN_ERRORS, Access, Login, bastion_of, target_of
from auditlog.settings import Host, LokiSettings, Settings


@dataclass(frozen=True, slots=True)
class Session:
    """The nodes with a login, and why others have none, by name."""

    nodes: tuple[Node, ...]
    problems: dict[str, str]


@asynccontextmanager
async def logged_in(
    settings: Settings, hosts: Sequence[Host], keys: Access, reading_user: str | None = None, seconds: int = SECONDS
) -> AsyncIterator[Session]:
    """Logs in to control-plane nodes of the stack until the block ends. Raises SshError if no login is possible.

    ``reading_user`` may start only the installed script. None: the nodes' own users. ``seconds`` is how long a node may
    take for an answer.
    """
    log = settings.log.path if settings.log else ""
    bastion = target_of(settings.bastion) if settings.bastion else None
    async with AsyncExitStack() as opened:
        tunnel, _ = await opened.enter_async_context(bastion_of(bastion, keys))

        async def log_in(host: Host) -> Node | str:
            """The node, or why the login failed."""
            login = Login(target_of(host, reading_user), keys)
            try:
                connection = await opened.enter_async_context(login.connect(tunnel))
            except LOGIN_ERRORS as error:
                return f"{login.address}: {login.reason(error)}"
            reader = SshReader(connection, reading_user or host.user, reading_user is not None, seconds)
            return Node(host.name, log, reader)

        found = await asyncio.gather(*(log_in(host) for host in hosts))
        problems = {host.name: each for host, each in zip(hosts, found, strict=True) if isinstance(each, str)}
        yield Session(tuple(each for each in found if isinstance(each, Node)), problems)


@asynccontextmanager
async def stack_loki(loki: LokiSettings, session: Session, addresses: Sequence[str]) -> AsyncIterator[LokiAccess]:
    """The stack's Loki until the block ends, through the first node that reaches it or from this machine.

    ``addresses`` has the addresses of Loki's Service, as the nodes found them. Raises LokiError.
    """
    if not loki.query_through_nodes:
        yield access(loki)
        return
    address = next((each for each in addresses if each), "")
    reasons: list[str] = []
    async with AsyncExitStack() as opened:
        for node in session.nodes:
            if not isinstance(node.reader, SshReader):
                continue
            try:
                way = await opened.enter_async_context(through_node(loki, node.reader.connection, address))
            except LokiError as error:
                reasons.append(f"{node.name}: {error}" if len(session.nodes) > 1 else str(error))
            except LOGIN_ERRORS as error:
                reasons.append(f"{node.name}: no way to Loki through it ({error})")
            else:
                yield way
                return
    raise LokiError("; ".join(reasons) or "no node leads to Loki")
