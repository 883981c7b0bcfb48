"""The node's side: ``node/ledger.sh``, run over SSH, or on this machine for logs that were copied here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from auditlog.ledger.files import AnswerError
from auditlog.nodes import node_scripts
from auditlog.nodes.ssh import LOGIN_ERRORS
from auditlog.nodes.ssh_library import asyncssh

SECONDS = 1800
"""How long a node may take: a few gigabytes of log, read with the lowest priority."""


class NodeReader(Protocol):
    """Asks one node. ``received`` is the bytes of its answers."""

    received: int

    async def ask(self, command: str, arguments: Mapping[str, str]) -> str:
        """What the node prints. Raises AnswerError."""


@dataclass
class LocalReader:
    """Reads files on this machine."""

    received: int = field(default=0, init=False)

    async def ask(self, command: str, arguments: Mapping[str, str]) -> str:
        words = [f"{name}={value}" for name, value in arguments.items()]
        process = await asyncio.create_subprocess_exec(
            *("sh", "-s", command, *words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        printed, said = await process.communicate(node_scripts.bundle().encode())
        self.received += len(printed)
        return _whole(command, process.returncode, printed.decode(errors="surrogateescape"), said.decode())


@dataclass
class SshReader:
    """Asks a node over SSH. ``installed``: the account may start only the installed script."""

    connection: asyncssh.SSHClientConnection
    user: str
    installed: bool
    seconds: int = SECONDS
    received: int = field(default=0, init=False)

    async def ask(self, command: str, arguments: Mapping[str, str]) -> str:
        if self.installed:
            line = node_scripts.installed_ledger_command()
            given = "".join(
                f"{word}\n" for word in (command, *(f"{name}={value}" for name, value in arguments.items()))
            )
        else:
            line = node_scripts.sent_command(self.user, command, **dict(arguments))
            given = node_scripts.bundle()
        # IDs are any bytes that a client sent.
        try:
            result = await self.connection.run(line, input=given, timeout=self.seconds, errors="surrogateescape")
        except LOGIN_ERRORS as error:
            raise AnswerError(f"{command}: the connection ended ({str(error) or type(error).__name__})") from error
        printed = str(result.stdout or "")
        self.received += len(printed)
        said = str(result.stderr or "")
        if result.exit_status and self.installed:
            said = f"{said.strip()} ({node_scripts.LEDGER_NEEDS.format(user=self.user)})"
        return _whole(command, result.exit_status, printed, said)


def _whole(command: str, status: int | None, printed: str, said: str) -> str:
    if status != 0:
        lines = (said or printed).strip().splitlines()
        raise AnswerError(f"{command} ended with status {status}: {lines[-1] if lines else 'no message'}")
    return printed
