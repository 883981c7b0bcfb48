"""An SSH server on loopback that really runs what it is asked to, for tests that dial one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

_WINDOW = 2**21
_PACKET = 2**15


@dataclass(frozen=True, slots=True)
class Execution:
    """One command as the server received it."""

    command: str
    stdin: str
    environment: dict[str, str]


@dataclass(slots=True)
class SshServer:
    """A started server. It lets any user in with `private_key` and runs commands with /bin/sh in `folder`.

    `host_key` and `private_key` are text as OpenSSH writes it. Variables a client sends are refused unless
    `accepted_variables` names them. `executions` and `tunnels` list, in order, what was run and which
    host:port was tunnelled to.
    """

    folder: Path
    host_key: str
    private_key: str
    port: int = 0
    host: str = "127.0.0.1"
    accepted_variables: set[str] = field(default_factory=set)
    executions: list[Execution] = field(default_factory=list)
    tunnels: list[str] = field(default_factory=list)

    def commands(self) -> list[str]:
        """The commands that were run, oldest first."""
        return [execution.command for execution in self.executions]


def new_key() -> asyncssh.SSHKey:
    """A new Ed25519 key pair."""
    return asyncssh.generate_private_key("ssh-ed25519")


def public_text(key: asyncssh.SSHKey) -> str:
    """The public half of `key` as a line of authorized_keys."""
    return key.export_public_key().decode()


@contextlib.contextmanager
def serving(folder: Path, client_key: asyncssh.SSHKey | None = None) -> Iterator[SshServer]:
    """Run an SshServer over `folder` on a free port until the block ends. `client_key`: instead of one of its own."""
    host_key, client_key = new_key(), client_key or new_key()
    server = SshServer(
        folder=folder,
        host_key=public_text(host_key),
        private_key=client_key.export_private_key().decode(),
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="ssh-server", daemon=True)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            server.host,
            0,
            server_factory=lambda: _Connection(server),
            server_host_keys=[host_key],
            authorized_client_keys=asyncssh.import_authorized_keys(public_text(client_key)),
        )

    async def stop(listener: asyncssh.SSHAcceptor) -> None:
        listener.close()
        await listener.wait_closed()

    listener = asyncio.run_coroutine_threadsafe(listen(), loop).result(timeout=300)
    server.port = listener.get_port()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(stop(listener), loop).result(timeout=300)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=300)
        loop.close()


class _Connection(asyncssh.SSHServer):
    def __init__(self, server: SshServer) -> None:
        self._server = server
        self._connection: asyncssh.SSHServerConnection

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def connection_requested(self, dest_host: str, dest_port: int, *_origin: Any) -> bool:
        self._server.tunnels.append(f"{dest_host}:{dest_port}")
        return True

    def session_requested(self) -> Any:
        channel = _Channel(
            self._connection,
            asyncio.get_running_loop(),
            allow_pty=False,
            line_editor=False,
            line_echo=False,
            line_history=0,
            max_line_length=0,
            encoding=None,
            errors="strict",
            window=_WINDOW,
            max_pktsize=_PACKET,
        )
        channel.accepted_variables = self._server.accepted_variables
        return channel, asyncssh.SSHServerProcess(self._run, None, 0, False)

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        environment = dict(process.env)
        command = process.command or ""
        number = len(self._server.executions)
        self._server.executions.append(Execution(command, "", environment))
        shell = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            command,
            cwd=self._server.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self._server.folder), **environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert shell.stdin is not None
        assert shell.stdout is not None
        assert shell.stderr is not None
        stdin, *_ = await asyncio.gather(
            _feed(process.stdin, shell.stdin),
            _pass_on(shell.stdout, process.stdout),
            _pass_on(shell.stderr, process.stderr),
        )
        self._server.executions[number] = Execution(command, stdin.decode(), environment)
        process.exit(await shell.wait())


async def _feed(given: asyncssh.SSHReader[bytes], shell: asyncio.StreamWriter) -> bytes:
    """Hands the input on as it comes; gives all of it."""
    taken = b""
    while chunk := await given.read(_PACKET):
        taken += chunk
        with contextlib.suppress(ConnectionError):
            shell.write(chunk)
            await shell.drain()
    with contextlib.suppress(ConnectionError):
        shell.close()
    return taken


async def _pass_on(shell: asyncio.StreamReader, client: asyncssh.SSHWriter[bytes]) -> None:
    while chunk := await shell.read(_PACKET):
        client.write(chunk)


class _Channel(asyncssh.SSHServerChannel[bytes]):
    """A channel that refuses variables, as sshd does by default; asyncssh has no setting for it."""

    accepted_variables: set[str]

    def _process_env_request(self, packet: Any) -> bool:
        super()._process_env_request(packet)
        refused = [name for name in self._env if name.decode() not in self.accepted_variables]
        for name in refused:
            del self._env[name]
        return not refused
