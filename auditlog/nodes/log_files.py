"""The audit logs of nodes, fetched over SSH into a folder of this machine: one connection for each node, all at once.

The node compresses what it sends, at the lowest priority. What was rotated away before the time that is asked for stays
there. A rotation while files are fetched loses nothing: the files are listed again until no new one is there.
"""

from __future__ import annotations

import asyncio
import shlex
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from auditlog.errors import AuditlogError
from auditlog.events.sources import active_name, rotated_at
from auditlog.nodes.node_scripts import as_root
from auditlog.nodes.ssh import LOGIN_ERRORS, READ_SECONDS, Access, Login, Target, bastion_of, completed
from auditlog.nodes.ssh_library import asyncssh
from auditlog.project_files import project_folder

_SCRIPT = "log_files.sh"
_BLOCK = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_ROUNDS = 5
"""A log that is rotated more often than files can be fetched would be listed for ever."""


class LogFilesError(AuditlogError):
    """A node's log cannot be fetched; the message says why, without the node's name."""


@dataclass(frozen=True, slots=True)
class NodeLog:
    """A log on a node."""

    target: Target
    """The machine; its `name` becomes the node's in answers."""
    path: str
    """The absolute path of the log on it."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of it, by the node's name."""

    folders: Mapping[str, Path]
    """Where the files of a node lie."""
    problems: Mapping[str, str]
    """Why a node's log could not be fetched, in one line."""


def fetch_logs(
    logs: Sequence[NodeLog],
    bastion: Target | None,
    access: Access,
    since: datetime | None,
    folder: Path,
    progress: Callable[[int], object] = lambda _: None,
) -> Fetched:
    """Fetches the logs into a folder for each node below `folder`, which should be nobody else's.

    `since` leaves out files that end before it; None fetches all. `progress` is told the bytes that came. Raises
    SshError when the bastion lets nobody through.
    """
    return completed(_fetch_all(logs, bastion, access, since, folder, progress))


async def _fetch_all(
    logs: Sequence[NodeLog],
    bastion: Target | None,
    access: Access,
    since: datetime | None,
    folder: Path,
    progress: Callable[[int], object],
) -> Fetched:
    folders = {log.target.name: folder / str(number) for number, log in enumerate(logs)}
    async with bastion_of(bastion, access) as (tunnel, _):
        results = await asyncio.gather(
            *(_fetch(log, access, tunnel, since, folders[log.target.name], progress) for log in logs)
        )
    problems = {log.target.name: found for log, found in zip(logs, results, strict=True) if found is not None}
    return Fetched({name: path for name, path in folders.items() if name not in problems}, problems)


async def _fetch(
    log: NodeLog,
    access: Access,
    tunnel: asyncssh.SSHClientConnection | None,
    since: datetime | None,
    folder: Path,
    progress: Callable[[int], object],
) -> str | None:
    """What kept the log from being fetched, if anything did."""
    login = Login(log.target, access)
    folder.mkdir(mode=0o700)
    try:
        async with login.connect(tunnel) as connection:
            await _Session(connection, login.reached(connection).user, log.path, folder, progress).fetch(since)
    except LOGIN_ERRORS as error:
        return f"{log.target.name} ({login.address}): {login.reason(error)}"
    return None


@dataclass(frozen=True, slots=True)
class _Session:
    """One node's connection, and what is asked of it."""

    connection: asyncssh.SSHClientConnection
    user: str
    path: str
    folder: Path
    progress: Callable[[int], object]

    async def fetch(self, since: datetime | None) -> None:
        active = self.path.rpartition("/")[2]
        rotated: set[str] = set()
        for _ in range(_ROUNDS):
            names = await self._names()
            missing = [name for name in _needed(names, since) if name not in rotated]
            if not missing and (self.folder / active).exists():
                return
            for name in missing:
                await self._send(name)
                rotated.add(name)
            # Last, and again after a rotation: what was in it has another name now.
            await self._send(active)

    async def _names(self) -> list[str]:
        """The files that were rotated away from the log."""
        active = self.path.rpartition("/")[2]
        async with self.connection.create_process(
            self._words("list", self.path), encoding=None, input=_script()
        ) as process:
            listed = (await asyncio.wait_for(process.stdout.read(), READ_SECONDS)).decode()
            await self._succeeded(process)
        names = [line.partition(" ")[2] for line in listed.splitlines()]
        return [name for name in names if name != active and active_name(name) == active]

    async def _send(self, name: str) -> None:
        """Stores a file; the active one as it is, since its name says that it is not compressed."""
        folder, _, active = self.path.rpartition("/")
        is_active = name == active
        target = self.folder / (name if is_active or name.endswith(".gz") else f"{name}.gz")
        unpack = zlib.decompressobj(_GZIP) if is_active or name.endswith(".gz") else None
        async with self.connection.create_process(
            self._words("send", f"{folder}/{name}"), encoding=None, input=_script()
        ) as process:
            with target.open("wb") as file:
                while piece := await asyncio.wait_for(process.stdout.read(_BLOCK), READ_SECONDS):
                    file.write(unpack.decompress(piece) if unpack else piece)
                    self.progress(len(piece))
            await self._succeeded(process)

    def _words(self, command: str, path: str) -> str:
        return f"{as_root(self.user)}sh -s {command} {shlex.quote(f'path={path}')}"

    async def _succeeded(self, process: asyncssh.SSHClientProcess[bytes]) -> None:
        said = (await process.stderr.read()).decode(errors="replace").strip().splitlines()
        await process.wait_closed()
        if process.exit_status != 0:
            last = said[-1].removeprefix("error: ") if said else f"status {process.exit_status} without a message"
            hint = f"; user {self.user!r} needs sudo without a password" if last.startswith("sudo: ") else ""
            raise LogFilesError(f"its log cannot be read: {last}{hint}")


def _needed(names: Sequence[str], since: datetime | None) -> list[str]:
    """The rotated files that hold events since then, and the one before, which shows that the log reaches so far."""
    by_time = sorted(names, key=lambda name: (rotated_at(name) is not None, name))
    ended = [name for name in by_time if since is not None and (at := rotated_at(name)) is not None and at < since]
    return [name for name in by_time if name not in ended[:-1]]


def _script() -> bytes:
    return (project_folder("node") / _SCRIPT).read_bytes()
