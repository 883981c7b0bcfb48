"""Reads all nodes at once over SSH: one connection and one command each (design decision 2)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import asyncssh

from auditlog.apiserver import manifest, node_scripts
from auditlog.apiserver.desired import LOG_FLAG, POLICY_FLAG, WEBHOOK_FLAG
from auditlog.apiserver.facts import Facts, FactsError, parse_facts
from auditlog.apiserver.manifest import ManifestError
from auditlog.settings import Host

CONNECT_SECONDS = 15
READ_SECONDS = 120


class ReadError(Exception):
    """Some nodes could not be read. ``problems`` holds one line for each of them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


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

    ``key`` is the text of a private key, None for those of the SSH agent. ``user`` is an account that may run the
    installed facts script as root and nothing else, None for each node's own user, who is root or becomes it.
    """

    key: str | None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """Who logs in, and what vouches for the hosts.

    ``keys`` are the only ones that are offered, ``keys_from`` says in messages where they come from; None offers those
    of the agent and the user's default identities.
    With ``user_configuration`` the user's ~/.ssh/config and known_hosts count; without it only what a target says.
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


@dataclass(frozen=True, slots=True)
class Reading:
    """What one node said."""

    reached: Reached
    facts: Facts


@dataclass(frozen=True, slots=True)
class Readings:
    """What every node said, by its name, or the one line that tells why it could not be read."""

    nodes: Mapping[str, Reading | str]
    bastion: Reached | None


def read_nodes(
    nodes: Sequence[Host],
    bastion: Host | None,
    account: Account,
    policy_path: str,
    log_path: str,
    webhook_path: str = "",
) -> Mapping[str, Facts]:
    """The facts of every node, by its name. A path is empty where the settings ask for no such file.

    Host keys are compared with the given ones and with nothing else. Raises ReadError that names every node that could
    not be read, after all were tried.
    """
    targets = [_target(node, account.user) for node in nodes]
    question = _Question((policy_path, log_path, webhook_path), installed=account.user is not None)
    results = _run(_read_as(account, targets, _target(bastion) if bastion else None, question)).nodes
    problems = [result for result in results.values() if isinstance(result, str)]
    if problems:
        raise ReadError(problems)
    found = {name: result.facts for name, result in results.items() if isinstance(result, Reading)}
    return {name: _at_paths(each, policy_path, webhook_path) for name, each in found.items()}


def read_unknown_nodes(targets: Sequence[Target], bastion: Target | None, access: Access) -> Readings:
    """Reads nodes of which nothing is known: policy and log are looked for where their own manifests have them.

    Raises ReadError when the bastion lets nobody through.
    """
    return _run(_read_all(targets, bastion, access, _Question(None)))


def _run(reading: Coroutine[Any, Any, Readings]) -> Readings:
    # A Pulumi program runs inside an event loop already, and a loop cannot be run from within another one.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, reading).result()


def _at_paths(facts: Facts, policy_path: str, webhook_path: str) -> Facts:
    # The installed script looks where the stack's last change put the files; of another place it says nothing.
    if facts.policy_path not in (None, policy_path):
        facts = replace(facts, policy=None)
    return facts if facts.webhook_path == webhook_path else replace(facts, webhook=None)


def _target(host: Host, user: str | None = None) -> Target:
    return Target(host.name, host.host, user or host.user, host.port, host.host_key)


@dataclass(frozen=True, slots=True)
class _Question:
    """What a node is asked: where to look for policy, log and the webhook's kubeconfig (None: where its manifest has
    them), by which script."""

    paths: tuple[str, str, str] | None
    installed: bool = False

    def command(self, user: str) -> str:
        return (
            node_scripts.installed_facts_command() if self.installed else node_scripts.facts_command(user, self.paths)
        )


async def _read_as(
    account: Account, targets: Sequence[Target], bastion: Target | None, question: _Question
) -> Readings:
    if account.key is not None:
        name = "sshPrivateKey" if account.user is None else "sshReadingPrivateKey"
        try:
            key = asyncssh.import_private_key(account.key)
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            raise ReadError([f"{name}: {error}; allowed: an unencrypted private key in OpenSSH or PEM form"]) from error
        return await _read_all(targets, bastion, Access((key,), False, name), question)
    try:
        async with asyncssh.connect_agent() as agent:
            keys = await agent.get_keys()
            if not keys:
                raise ReadError(["the SSH agent (SSH_AUTH_SOCK) holds no key; add one with ssh-add"])
            return await _read_all(targets, bastion, Access(tuple(keys), False, "the keys of the SSH agent"), question)
    except OSError as error:
        raise ReadError([f"the SSH agent (SSH_AUTH_SOCK) does not answer: {error}"]) from error


async def _read_all(targets: Sequence[Target], bastion: Target | None, access: Access, question: _Question) -> Readings:
    async with AsyncExitStack() as stack:
        tunnel = through = None
        if bastion is not None:
            login = _Login(bastion, access)
            try:
                tunnel = await stack.enter_async_context(login.connect(None))
            except (OSError, ValueError, asyncssh.Error, TimeoutError) as error:
                raise ReadError([f"bastion ({login.address}): {login.reason(error)}"]) from error
            through = login.reached(tunnel)
        results = await asyncio.gather(*(_read(target, access, tunnel, question) for target in targets))
    return Readings({target.name: result for target, result in zip(targets, results, strict=True)}, through)


async def _read(
    target: Target,
    access: Access,
    tunnel: asyncssh.SSHClientConnection | None,
    question: _Question,
) -> Reading | str:
    login = _Login(target, access)
    try:
        async with login.connect(tunnel) as connection:
            reached = login.reached(connection)
            facts = await _facts(connection, reached.user, question)
            elsewhere = _mounted_from_elsewhere(facts) if question.paths is None else None
            if elsewhere is not None:
                facts = await _facts(connection, reached.user, _Question(elsewhere))
    except (OSError, ValueError, asyncssh.Error, TimeoutError) as error:
        return f"{target.name} ({login.address}): {login.reason(error)}"
    return Reading(reached, facts)


async def _facts(connection: asyncssh.SSHClientConnection, user: str, question: _Question) -> Facts:
    given: dict[str, Any] = {"stdin": asyncssh.DEVNULL} if question.installed else {"input": node_scripts.bundle()}
    result = await connection.run(question.command(user), timeout=READ_SECONDS, **given)
    if result.exit_status != 0:
        said = str(result.stderr or result.stdout or "").strip().splitlines()
        reason = f"reading it ended with status {result.exit_status}: {said[-1] if said else 'no message'}"
        if question.installed:
            reason += f" ({node_scripts.READING_NEEDS.format(user=user)})"
        elif said and said[-1].startswith("sudo: "):
            reason += (
                f" (user {user!r} needs sudo without a password: a line '{user} ALL=(root) NOPASSWD: ALL' in "
                "/etc/sudoers.d, or a login as root)"
            )
        raise FactsError(reason)
    return parse_facts(str(result.stdout))


def _mounted_from_elsewhere(facts: Facts) -> tuple[str, str, str] | None:
    """Where the files are on the node when that is not where its flags say; flags hold paths in the container."""
    if facts.manifest is None:
        return None
    text = facts.manifest.text
    try:
        arguments = manifest.arguments(text)
        flags = [manifest.flag_value(arguments, name) or "" for name in (POLICY_FLAG, LOG_FLAG, WEBHOOK_FLAG)]
        policy, log, webhook = (manifest.node_path(text, flag) or flag for flag in flags)
    except ManifestError:
        return None
    found = (policy, log, webhook)
    return None if found == (facts.policy_path, facts.log_path, facts.webhook_path or "") else found


class _Login:
    """One login, kept for messages: what was asked for, and the key that was offered when none is known."""

    def __init__(self, target: Target, access: Access) -> None:
        self._target, self._access = target, access
        self._offered: asyncssh.SSHKey | None = None
        self._jump: str | None = None
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
        self._jump = options.tunnel if isinstance(options.tunnel, str) else None
        if options.known_hosts is None:
            raise ValueError("the SSH configuration accepts any host key there (UserKnownHostsFile none)")
        # What connect() takes itself would otherwise go back to its own defaults, the user's configuration among them.
        return asyncssh.connect(target.host, target.port or (), tunnel=tunnel or (), config=None, options=options)

    def reached(self, connection: asyncssh.SSHClientConnection) -> Reached:
        """What the finished login was like."""
        key = connection.get_server_host_key()
        words = key.export_public_key().decode().split()[:2] if key else []
        user = str(connection.get_extra_info("username"))
        return Reached(self.host, user, self.port, " ".join(words), self._jump)

    def _take_offered(self, key: asyncssh.SSHKey) -> None:
        self._offered = key

    def reason(self, error: BaseException) -> str:
        """What went wrong, in one line that says what to do."""
        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            return self._unknown_host_key()
        if isinstance(error, asyncssh.PermissionDenied):
            if not self._access.user_configuration:
                return f"user {self._target.user!r} is not let in with {self._access.keys_from} ({error.reason})"
            return f"{error.reason}: none of the keys is let in; give one with --identity, or add it to the SSH agent"
        if isinstance(error, asyncssh.TimeoutError):
            return f"the node did not say all it was asked within {READ_SECONDS} s"
        if isinstance(error, TimeoutError):
            return f"no answer within {CONNECT_SECONDS} s"
        if isinstance(error, ConnectionRefusedError):
            return "the connection is refused: no SSH server listens there, or a firewall is in between"
        if isinstance(error, socket.gaierror):
            return f"the name cannot be resolved: {error.strerror}"
        if isinstance(error, asyncssh.ChannelOpenError):
            return f"the bastion cannot reach it: {error.reason}"
        if isinstance(error, asyncssh.Error):
            return str(error.reason)
        return str(error)

    def _unknown_host_key(self) -> str:
        pinned = self._target.host_key
        if pinned:
            given_as = "--host-key" if self._access.user_configuration else "hostKey"
            return (
                f"it answers with another host key than {given_as} says. Either the machine was made anew, or somebody "
                "is in between; compare with /etc/ssh/ssh_host_ed25519_key.pub on the machine. "
                f"Configured: {pinned[:60]}…"
            )
        port = f" -p {self.port}" if self.port != 22 else ""
        offered = ""
        if self._offered is not None:
            key = self._offered.export_public_key().decode().split(" ")
            offered = f" It offers '{key[0]} {key[1].strip()}', {self._offered.get_fingerprint()}."
        return (
            f"its host key is not in known_hosts, or is another one there.{offered} On the machine itself, "
            "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub shows the fingerprint to compare with that of "
            f"ssh-keyscan -t ed25519{port} {self.host} | ssh-keygen -lf -; when they are equal, add the line of "
            f"ssh-keyscan to known_hosts, or give it as --host-key"
        )


class _Client(asyncssh.SSHClient):
    """Trusts no key that known_hosts lacks, and hands it on for the message."""

    def __init__(self, take_offered: Callable[[asyncssh.SSHKey], None]) -> None:
        self._take_offered = take_offered

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        self._take_offered(key)
        return False
