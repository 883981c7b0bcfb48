"""SSH to the nodes: who logs in, what vouches for the hosts, and what a failed login is called.

Host keys are required: without one, anybody on the way could answer in the node's place.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from auditlog.errors import AuditlogError
from auditlog.nodes import host_keys
from auditlog.nodes.connecting import connection_reason
from auditlog.nodes.ssh_library import asyncssh
from auditlog.settings import Host

CONNECT_SECONDS = 15
READ_SECONDS = 120
"""How long a login, and an answer to what is asked of a node, may take."""

LOGIN_ERRORS = (OSError, ValueError, AuditlogError, asyncssh.Error, TimeoutError)
"""What a login, and what is done with it, raises; ``Login.reason`` has words for each."""


T = TypeVar("T")


def completed(work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` returns, from an event loop in its own thread.

    A Pulumi program runs inside an event loop already, and a loop cannot be run from within another one.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()


class SshError(AuditlogError):
    """Nobody can be logged in at all: no key, or a bastion that lets nobody through."""


@dataclass(frozen=True, slots=True)
class Target:
    """A machine to log in to, and the key it must answer with. What is None comes from the user's SSH configuration."""

    name: str
    host: str
    user: str | None = None
    port: int | None = None
    host_key: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Who reads the nodes of a stack.

    ``key`` is the text of a private key; None takes those of the SSH agent. ``user`` is an account that may only run
    the installed facts script as root. None takes each node's own user, who is root or becomes it.
    """

    key: str | None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """Who logs in, and what vouches for the hosts.

    Only ``keys`` are offered, and ``keys_from`` names their source in messages. None offers those of the agent and the
    user's default identities. With ``user_configuration`` the user's ~/.ssh/config and known_hosts count; otherwise
    only a target's own data.
    """

    keys: Sequence[asyncssh.SSHKey | asyncssh.SSHKeyPair] | None = None
    user_configuration: bool = True
    keys_from: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """How a machine was reached in the end. ``host_key`` is the one that it proved to hold.

    ``jump`` is the ProxyJump of the user's SSH configuration that led there, if one did.
    """

    host: str
    user: str
    port: int
    host_key: str
    jump: str | None


def target_of(host: Host, user: str | None = None) -> Target:
    """The machine as the settings have it, with another ``user`` if given."""
    return Target(host.name, host.host, user or host.user, host.port, host.host_key)


@asynccontextmanager
async def access_of(account: Account) -> AsyncIterator[Access]:
    """The account's keys, usable until the block ends. Raises SshError when there is none."""
    if account.key is not None:
        name = "sshPrivateKey" if account.user is None else "sshReadingPrivateKey"
        try:
            key = asyncssh.import_private_key(account.key)
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            raise SshError(f"{name}: {error}; allowed: an unencrypted private key in OpenSSH or PEM form") from error
        yield Access((key,), False, name)
        return
    try:
        agent = await asyncssh.connect_agent()
    except OSError as error:
        path = os.environ.get("SSH_AUTH_SOCK")
        found = f"{path!r}, where no SSH agent answers: {connection_reason(error)}" if path else "not set"
        raise SshError(f"SSH_AUTH_SOCK is {found}; allowed: the socket of an SSH agent that holds a key") from error
    async with agent:
        keys = await agent.get_keys()
        if not keys:
            raise SshError("the SSH agent (SSH_AUTH_SOCK) holds no key; add one with ssh-add")
        yield Access(tuple(keys), False, "the keys of the SSH agent")


@asynccontextmanager
async def bastion_of(
    target: Target | None, access: Access
) -> AsyncIterator[tuple[asyncssh.SSHClientConnection | None, Reached | None]]:
    """The connection that others go through, and how it was reached; None and None without a bastion.

    Raises SshError when it lets nobody through.
    """
    if target is None:
        yield None, None
        return
    login = Login(target, access)
    try:
        connection = await login.connect(None)
    except LOGIN_ERRORS as error:
        raise SshError(f"bastion ({login.address}): {login.reason(error)}") from error
    async with connection:
        yield connection, login.reached(connection)


class Login:
    """One login, kept for messages: what was asked for, and the key that was offered when none is known."""

    def __init__(self, target: Target, access: Access) -> None:
        self._target, self._access = target, access
        self._offered: asyncssh.SSHKey | None = None
        self._jump: str | None = None
        self._has_bastion = False
        self._known_hosts: object = None
        self.host, self.port = target.host, target.port or 22

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def connect(
        self, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.misc._ACMWrapper[asyncssh.SSHClientConnection]:
        """Raises ValueError when the user's SSH configuration cannot be used."""
        target, access = self._target, self._access
        pinned = target.host_key
        options = asyncssh.SSHClientConnectionOptions(
            host=target.host,
            port=target.port or (),
            tunnel=tunnel or (),
            config=() if access.user_configuration else None,
            username=target.user or (),
            client_factory=lambda: _Client(self._take_offered),
            client_keys=list(access.keys or ()),
            known_hosts=([asyncssh.import_public_key(pinned)], [], []) if pinned else (),
            # Only the given key's own kind is asked for, so that the server does not answer with another of its keys.
            server_host_key_algs=[pinned.split(" ", 1)[0]] if pinned else (),
            agent_path=None if access.keys else (),
            connect_timeout=CONNECT_SECONDS,
        )
        self.host, self.port = options.host, options.port
        self._known_hosts = options.known_hosts
        self._has_bastion = bool(options.tunnel)
        self._jump = options.tunnel if isinstance(options.tunnel, str) else None
        if options.known_hosts is None:
            raise ValueError("the SSH configuration accepts any host key there (UserKnownHostsFile none)")
        # What connect() takes itself would otherwise go back to its own defaults, the user's configuration among them.
        return asyncssh.connect(target.host, target.port or (), tunnel=tunnel or (), config=None, options=options)

    def reached(self, connection: asyncssh.SSHClientConnection) -> Reached:
        """What the finished login was like."""
        key = connection.get_server_host_key()
        user = str(connection.get_extra_info("username"))
        return Reached(self.host, user, self.port, host_keys.text(key) if key else "", self._jump)

    def _take_offered(self, key: asyncssh.SSHKey) -> None:
        self._offered = key

    def reason(self, error: BaseException) -> str:
        """What went wrong, in one line that says what to do."""
        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            return self._untrusted_host_key()
        if isinstance(error, asyncssh.PermissionDenied):
            if not self._access.user_configuration:
                return f"user {self._target.user!r} is not let in with {self._access.keys_from} ({error.reason})"
            return f"{error.reason}: none of the keys is let in; give one with --identity, or add it to the SSH agent"
        if isinstance(error, asyncssh.TimeoutError):
            return f"the node did not say all it was asked within {READ_SECONDS} s"
        if isinstance(error, TimeoutError) and not error.errno:
            return f"no answer within {CONNECT_SECONDS} s"
        if isinstance(error, BrokenPipeError) and error.errno is None:
            return (
                "the command ended before it took its input: is another command forced on this account? Look for "
                "ForceCommand in sshd_config, command= in authorized_keys, or a login shell that ends at once"
            )
        if isinstance(error, OSError):
            return connection_reason(error)
        if isinstance(error, asyncssh.ChannelOpenError) and not self._has_bastion:
            return f"it opens no session ({error.reason}): MaxSessions in its sshd_config says how many it allows"
        if isinstance(error, asyncssh.ChannelOpenError):
            return f"the bastion cannot reach it: {error.reason}"
        if isinstance(error, asyncssh.ConnectionLost | asyncssh.KeyExchangeFailed):
            return self._ended_early(error)
        if isinstance(error, asyncssh.Error):
            return str(error.reason)
        return str(error)

    def _ended_early(self, error: asyncssh.DisconnectError) -> str:
        pinned = self._target.host_key
        kind = f"either it has no {pinned.split(' ', 1)[0]} host key, which {self._given_as} is, or " if pinned else ""
        return f"the server ended the connection ({error.reason}): {kind}sshd's log on the machine says why"

    @property
    def _given_as(self) -> str:
        return "--host-key" if self._access.user_configuration else "hostKey"

    def _untrusted_host_key(self) -> str:
        pinned = self._target.host_key
        if pinned:
            known = [asyncssh.import_public_key(pinned)]
            return host_keys.changed(self._given_as, known, self._offered, f"set {self._given_as} to the key offered")
        known = [*host_keys.in_known_hosts(self._known_hosts, self.host, self.port)]
        if known:
            line = host_keys.remove_line(self.host, self.port)
            remove = f"remove the line ({line}) and add the one that ssh-keyscan prints"
            return host_keys.changed("known_hosts", known, self._offered, remove)
        return host_keys.unknown(self.host, self.port, self._offered)


class _Client(asyncssh.SSHClient):
    """Trusts no key that known_hosts lacks, and hands it on for the message."""

    def __init__(self, take_offered: Callable[[asyncssh.SSHKey], None]) -> None:
        self._take_offered = take_offered

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        self._take_offered(key)
        return False
