"""Locks every declared node while ``pulumi up`` runs, so that the node can tell a replacement from a removal.

A replacement (``pulumi up --replace``, ``pulumi state taint``) runs the same delete command as a removal. A locked node
keeps its files. The lock is ``/etc/kubernetes/audit-logging/declared`` (node/manifest.sh); it ends with its SSH
connection, whatever ends the program.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack
from threading import Thread

from auditlog.node_paths import RECORDS
from auditlog.nodes import node_scripts
from auditlog.nodes.read_nodes import ReadError
from auditlog.nodes.ssh import (
    CONNECT_SECONDS,
    LOGIN_ERRORS,
    Access,
    Account,
    Login,
    SshError,
    access_of,
    bastion_of,
    target_of,
)
from auditlog.nodes.ssh_library import asyncssh
from auditlog.settings import Host

_BEAT_SECONDS = 10


class Declaration:
    """Locks on ``nodes``, taken at once and held until ``release`` or the end of the process.

    ``account`` must be allowed to change the nodes. Raises ReadError, which names every node that cannot be locked.
    """

    def __init__(self, nodes: Sequence[Host], bastion: Host | None, account: Account) -> None:
        self._nodes, self._bastion, self._account = nodes, bastion, account
        self._held: Future[None] = Future()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        # A thread of its own: the program's loop stands still while the program computes.
        Thread(target=self._run, daemon=True).start()
        self._held.result()

    def release(self) -> None:
        """Ends every lock; safe to repeat."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._over.set)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._hold())
        except LOGIN_ERRORS as error:
            if not self._held.done():
                self._held.set_exception(error if isinstance(error, ReadError) else ReadError([str(error)]))
        finally:
            self._loop.close()

    async def _hold(self) -> None:
        try:
            async with AsyncExitStack() as open_ones:
                access = await open_ones.enter_async_context(access_of(self._account))
                bastion = target_of(self._bastion) if self._bastion else None
                tunnel, _ = await open_ones.enter_async_context(bastion_of(bastion, access))
                locks = [_Lock(node, access, tunnel, open_ones) for node in self._nodes]
                problems = [each for each in await asyncio.gather(*(lock.take() for lock in locks)) if each]
                if problems:
                    raise ReadError(problems)
                self._held.set_result(None)
                while not await self._is_over():
                    for lock in locks:
                        lock.beat()
        except SshError as error:
            raise ReadError([str(error)]) from error

    async def _is_over(self) -> bool:
        try:
            await asyncio.wait_for(self._over.wait(), _BEAT_SECONDS)
        except TimeoutError:
            return False
        return True


class _Lock:
    """The lock on one node."""

    def __init__(
        self, node: Host, access: Access, tunnel: asyncssh.SSHClientConnection | None, open_ones: AsyncExitStack
    ) -> None:
        self._node, self._tunnel, self._open_ones = node, tunnel, open_ones
        self._login = Login(target_of(node), access)
        self._process: asyncssh.SSHClientProcess[str] | None = None

    async def take(self) -> str | None:
        """Takes the lock. Returns the reason in one line if that fails, else None."""
        where = f"{self._node.name} ({self._login.address})"
        try:
            connection = await self._open_ones.enter_async_context(self._login.connect(self._tunnel))
            self._process = await connection.create_process(node_scripts.declare_command(self._node.user))
            said = await asyncio.wait_for(self._process.stdout.readline(), CONNECT_SECONDS)
        except LOGIN_ERRORS as error:
            return f"{where}: {self._login.reason(error)}"
        if said != node_scripts.DECLARED:
            return f"{where}: {RECORDS}/declared cannot be locked: {said.strip() or 'no answer'}"
        return None

    def beat(self) -> None:
        """Shows the node that the program still runs."""
        if self._process is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(".")
