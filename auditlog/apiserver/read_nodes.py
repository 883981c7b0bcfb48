"""Reads all nodes at once over SSH: one connection and one command each (design decision 2)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import asyncssh

from auditlog.apiserver import node_scripts
from auditlog.apiserver.facts import Facts, FactsError, parse_facts
from auditlog.settings import Host

CONNECT_SECONDS = 15
READ_SECONDS = 120


class ReadError(Exception):
    """Some nodes could not be read. ``problems`` holds one line for each of them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_nodes(
    nodes: Sequence[Host], bastion: Host | None, private_key: str, policy_path: str, log_path: str
) -> Mapping[str, Facts]:
    """The facts of every node, by its name.

    ``private_key`` is the text of the key that opens all of them. Host keys are compared with the given ones and with
    nothing else. Raises ReadError that names every node that could not be read, after all were tried.
    """
    reading = _read_all(nodes, bastion, private_key, policy_path, log_path)
    # A Pulumi program runs inside an event loop already, and a loop cannot be run from within another one.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, reading).result()


async def _read_all(
    nodes: Sequence[Host], bastion: Host | None, private_key: str, policy_path: str, log_path: str
) -> Mapping[str, Facts]:
    try:
        key = asyncssh.import_private_key(private_key)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise ReadError(
            [f"sshPrivateKey: {error}; allowed: an unencrypted private key in OpenSSH or PEM form"]
        ) from error
    async with AsyncExitStack() as stack:
        tunnel = None
        if bastion is not None:
            try:
                tunnel = await stack.enter_async_context(_connect(bastion, key, None))
            except (OSError, asyncssh.Error, TimeoutError) as error:
                raise ReadError([f"bastion ({bastion.host}:{bastion.port}): {_reason(error, bastion)}"]) from error
        results = await asyncio.gather(
            *(_read(node, key, tunnel, policy_path, log_path) for node in nodes), return_exceptions=True
        )
    problems: list[str] = []
    facts: dict[str, Facts] = {}
    for node, result in zip(nodes, results, strict=True):
        if isinstance(result, Facts):
            facts[node.name] = result
        elif isinstance(result, (OSError, asyncssh.Error, TimeoutError, FactsError)):
            problems.append(f"{node.name} ({node.host}:{node.port}): {_reason(result, node)}")
        else:
            raise result
    if problems:
        raise ReadError(problems)
    return facts


async def _read(
    node: Host,
    key: asyncssh.SSHKey,
    tunnel: asyncssh.SSHClientConnection | None,
    policy_path: str,
    log_path: str,
) -> Facts:
    async with _connect(node, key, tunnel) as connection:
        result = await connection.run(
            node_scripts.facts_command(node.user, policy_path, log_path),
            input=node_scripts.bundle(),
            timeout=READ_SECONDS,
        )
    if result.exit_status != 0:
        said = str(result.stderr or result.stdout or "").strip().splitlines()
        raise FactsError(f"reading it ended with status {result.exit_status}: {said[-1] if said else 'no message'}")
    return parse_facts(str(result.stdout))


def _connect(
    host: Host, key: asyncssh.SSHKey, tunnel: asyncssh.SSHClientConnection | None
) -> asyncssh.misc._ACMWrapper[asyncssh.SSHClientConnection]:
    return asyncssh.connect(
        host.host,
        host.port,
        tunnel=tunnel or (),
        username=host.user,
        client_keys=[key],
        known_hosts=([asyncssh.import_public_key(host.host_key)], [], []),
        # Only the given key's own kind is asked for, so that the server does not answer with another of its keys.
        server_host_key_algs=[host.host_key.split(" ", 1)[0]],
        agent_path=None,
        config=None,
        connect_timeout=CONNECT_SECONDS,
    )


def _reason(error: BaseException, host: Host) -> str:
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return (
            "it answers with another host key than hostKey says. Either the machine was made anew, or somebody is in "
            f"between; compare with /etc/ssh/ssh_host_ed25519_key.pub on the machine. Configured: {host.host_key[:60]}…"
        )
    if isinstance(error, asyncssh.PermissionDenied):
        return f"user {host.user!r} is not let in with sshPrivateKey ({error.reason})"
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_SECONDS} s"
    if isinstance(error, asyncssh.Error):
        return str(error.reason)
    return str(error)
