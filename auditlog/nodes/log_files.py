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
from auditlog.node_paths import ARCHIVE
from auditlog.nodes.node_scripts import as_root
from auditlog.nodes.ssh import LOGIN_ERRORS, READ_SECONDS, Access, Login, Target, bastion_of, completed
from auditlog.nodes.ssh_library import asyncssh
from auditlog.project_files import project_folder

POLICIES = f"{ARCHIVE}/policies"
"""Where a node keeps the history of its policies; it outlives the stack."""
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
    histories: Mapping[str, str]
    """The node's history of its policies (`node/policy_history.sh`); empty if it kept none."""


def fetch_logs(
    logs: Sequence[NodeLog],
    bastion: Target | None,
    access: Access,
    since: datetime | None,
    folder: Path,
    progress: Callable[[int], object] = lambda _: None,
) -> Fetched:
    """Fetches the logs into a folder for each node below `folder`, which should be nobody else's.

    `since` leaves out files that end before it; None fetches all. `progress` gets the number of bytes that arrived.
    Raises SshError when the bastion lets nobody through.
    """
    return completed(_fetch_all(logs, bastion, access, since, folder, progress))


def fetch_histories(logs: Sequence[NodeLog], bastion: Target | None, access: Access) -> Fetched:
    """Only the nodes' histories of their policies. Raises SshError when the bastion lets nobody through."""
    return completed(_fetch_all(logs, bastion, access, None, None, lambda _: None))


async def _fetch_all(
    logs: Sequence[NodeLog],
    bastion: Target | None,
    access: Access,
    since: datetime | None,
    folder: Path | None,
    progress: Callable[[int], object],
) -> Fetched:
    folders = {log.target.name: folder / str(number) if folder else None for number, log in enumerate(logs)}
    async with bastion_of(bastion, access) as (tunnel, _):
        results = await asyncio.gather(
            *(_fetch(log, access, tunnel, since, folders[log.target.name], progress) for log in logs)
        )
    by_name = {log.target.name: found for log, found in zip(logs, results, strict=True)}
    problems = {name: found.problem for name, found in by_name.items() if found.problem is not None}
    return Fetched(
        {name: path for name, path in folders.items() if path and name not in problems},
        problems,
        {name: found.history for name, found in by_name.items() if found.problem is None},
    )


@dataclass(frozen=True, slots=True)
class _Result:
    """One node's history, or what kept its log from being fetched."""

    history: str = ""
    problem: str | None = None


async def _fetch(
    log: NodeLog,
    access: Access,
    tunnel: asyncssh.SSHClientConnection | None,
    since: datetime | None,
    folder: Path | None,
    progress: Callable[[int], object],
) -> _Result:
    login = Login(log.target, access)
    if folder:
        folder.mkdir(mode=0o700)
    try:
        async with login.connect(tunnel) as connection:
            session = _Session(connection, login.reached(connection).user, log.path, folder, progress)
            if folder:
                await session.fetch(since)
            # Last: what it says of now then holds for every event that was fetched.
            return _Result(await session.history())
    except LOGIN_ERRORS as error:
        return _Result(problem=f"{log.target.name} ({login.address}): {login.reason(error)}")


@dataclass(frozen=True, slots=True)
class _Session:
    """One node's connection, and what is asked of it."""

    connection: asyncssh.SSHClientConnection
    user: str
    path: str
    folder: Path | None
    """Where files come; None where only the history is wanted."""
    progress: Callable[[int], object]

    async def fetch(self, since: datetime | None) -> None:
        assert self.folder is not None  # noqa: S101 - the caller looked
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

    async def history(self) -> str:
        """The node's history of its policies."""
        return await self._told("policies", POLICIES)

    async def _names(self) -> list[str]:
        """The files that were rotated away from the log."""
        active = self.path.rpartition("/")[2]
        names = [line.partition(" ")[2] for line in (await self._told("list", self.path)).splitlines()]
        return [name for name in names if name != active and active_name(name) == active]

    async def _told(self, command: str, path: str) -> str:
        async with self.connection.create_process(
            self._words(command, path), encoding=None, input=_script()
        ) as process:
            # A history that a power cut damaged may hold any bytes.
            told: str = (await asyncio.wait_for(process.stdout.read(), READ_SECONDS)).decode(errors="replace")
            await self._succeeded(process)
        return told

    async def _send(self, name: str) -> None:
        """Stores a file; the active one as it is, since its name says that it is not compressed."""
        assert self.folder is not None  # noqa: S101 - the caller looked
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
