"""Reads all nodes at once over SSH: one connection and one command each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from auditlog.errors import AuditlogError
from auditlog.manifest import manifest
from auditlog.manifest.audit_flags import FILE_FLAGS
from auditlog.manifest.manifest import ManifestError
from auditlog.nodes import node_scripts
from auditlog.nodes.answer import FactsError
from auditlog.nodes.fact_types import KubeadmConfig
from auditlog.nodes.facts import Facts, parse_facts
from auditlog.nodes.ssh import (
    LOGIN_ERRORS,
    READ_SECONDS,
    Access,
    Account,
    Login,
    Reached,
    SshError,
    Target,
    access_of,
    bastion_of,
    completed,
    target_of,
)
from auditlog.nodes.ssh_library import asyncssh
from auditlog.settings import Host, Settings


class ReadError(AuditlogError):
    """Some nodes could not be read. ``problems`` holds one line for each of them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems

    @property
    def messages(self) -> tuple[str, ...]:
        """One for each node."""
        return tuple(self.problems)


class FilePaths(NamedTuple):
    """Where the settings have policy, log, webhook's kubeconfig and admission policies; empty where there are none."""

    policy: str
    log: str
    webhook: str = ""
    static_policies: str = ""

    @classmethod
    def of(cls, settings: Settings) -> FilePaths:
        """Those of a stack's nodes."""
        return cls(
            settings.policy.path,
            settings.log_file or "",
            settings.webhook.path if settings.webhook else "",
            settings.annotations.static_path if settings.annotations.in_files else "",
        )

    def named(self) -> Mapping[str, str]:
        """By the names that the script on the node has for them."""
        paths = {"policy": self.policy, "log": self.log, "webhook": self.webhook}
        return {**paths, "static-policies": self.static_policies} if self.static_policies else paths

    def at_these(self, facts: Facts) -> Facts:
        """The facts, without files that lie elsewhere."""
        # The installed script looks where the stack's last change put the files; of another place it says nothing.
        if facts.policy_path not in (None, self.policy):
            facts = replace(facts, policy=None)
        return facts if facts.webhook_path == self.webhook else replace(facts, webhook=None)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one node said."""

    reached: Reached
    facts: Facts


@dataclass(frozen=True, slots=True)
class Readings:
    """What every node said, by its name, or the one line that says why it could not be read."""

    nodes: Mapping[str, Reading | str]
    bastion: Reached | None


def read_nodes(
    nodes: Sequence[Host],
    bastion: Host | None,
    account: Account,
    policy_path: str,
    log_path: str,
    webhook_path: str = "",
    static_policies_path: str = "",
    *,
    annotations: bool = False,
) -> Mapping[str, Facts]:
    """The facts of every node, by its name. A path is empty where the settings ask for no such file.

    ``static_policies_path`` is the path of the file with admission policies. With ``annotations`` one node is asked for
    the admission policies of the cluster.

    Host keys are compared with the given ones and with nothing else. Raises ReadError that names every node that could
    not be read, after all were tried.
    """
    targets = [target_of(node, account.user) for node in sorted(nodes, key=lambda node: node.joining)]
    names = tuple(target.name for target in targets)
    paths = FilePaths(policy_path, log_path, webhook_path, static_policies_path)
    question = _Question(paths.named(), installed=account.user is not None, nodes=names, annotations=annotations)
    readings = completed(_read_as(account, targets, target_of(bastion) if bastion else None, question)).nodes
    results = {node.name: readings[node.name] for node in nodes}
    problems = [result for result in results.values() if isinstance(result, str)]
    if problems:
        raise ReadError(problems)
    found = {name: result.facts for name, result in results.items() if isinstance(result, Reading)}
    return {name: paths.at_these(each) for name, each in found.items()}


async def read_cluster(settings: Settings, access: Access) -> Mapping[str, Facts | str]:
    """The same as ``read_nodes`` for one of many clusters, with what is wrong in place of a node's facts.

    Where the settings name an account that only reads, it runs the installed script and nothing else. Raises ReadError
    when the bastion lets nobody through.
    """
    user, bastion = settings.reading_user, settings.bastion
    targets = [target_of(node, user) for node in settings.nodes_to_read]
    names = tuple(target.name for target in targets)
    paths = FilePaths.of(settings)
    question = _Question(paths.named(), installed=user is not None, nodes=names)
    readings = await _read_all(targets, target_of(bastion) if bastion else None, access, question)
    return {
        name: found if isinstance(found, str) else paths.at_these(found.facts) for name, found in readings.nodes.items()
    }


def read_unknown_nodes(targets: Sequence[Target], bastion: Target | None, access: Access) -> Readings:
    """Reads nodes of which nothing is known: policy and log are looked for where their own manifests have them.

    Raises ReadError when the bastion lets nobody through.
    """
    return completed(_read_all(targets, bastion, access, _Question(None, flagz=True)))


@dataclass(frozen=True, slots=True)
class _Question:
    """What a node is asked.

    - Where to look for policy, log and the webhook's kubeconfig; None: where its manifest has them.
    - By which script.
    - Whether also for kubeadm-config, whether ``nodes`` are Ready, the API server's own account of its flags, and the
      cluster's admission policies.
    """

    paths: Mapping[str, str] | None
    installed: bool = False
    kubeadm_config: bool = True
    nodes: tuple[str, ...] = ()
    flagz: bool = False
    annotations: bool = False

    def command(self, user: str) -> str:
        if self.installed:
            return node_scripts.installed_facts_command()
        return node_scripts.facts_command(
            user,
            self.paths,
            kubeadm_config=self.kubeadm_config,
            nodes=self.nodes,
            flagz=self.flagz,
            annotations=self.annotations,
        )


async def _read_as(
    account: Account, targets: Sequence[Target], bastion: Target | None, question: _Question
) -> Readings:
    try:
        async with access_of(account) as access:
            return await _read_all(targets, bastion, access, question)
    except SshError as error:
        raise ReadError([str(error)]) from error


async def _read_cluster(
    targets: Sequence[Target], access: Access, tunnel: asyncssh.SSHClientConnection | None, question: _Question
) -> list[Reading | str]:
    """Reads the nodes of one stack. kubeadm-config is the cluster's: the first is asked for it, the others where it
    cannot tell."""
    if not targets:
        return []
    without = replace(question, kubeadm_config=False, annotations=False)
    (first,), others = await asyncio.gather(
        _read_each(targets[:1], access, tunnel, question), _read_each(targets[1:], access, tunnel, without)
    )
    if isinstance(first, str):
        return [first, *others]
    config = first.facts.kubeadm_config
    if config is None or config.stale:
        return [first, *await _read_each(targets[1:], access, tunnel, question)]
    return [first, *(other if isinstance(other, str) else _with_kubeadm_config(other, config) for other in others)]


def _with_kubeadm_config(reading: Reading, config: KubeadmConfig) -> Reading:
    if reading.facts.kubeadm_config is not None:
        return reading
    return replace(reading, facts=replace(reading.facts, kubeadm_config=config, kubeadm_config_error=None))


async def _read_all(targets: Sequence[Target], bastion: Target | None, access: Access, question: _Question) -> Readings:
    try:
        async with bastion_of(bastion, access) as (tunnel, through):
            # Of an installed script, and of nodes of which nothing is known, each is asked for everything.
            each_alone = question.installed or question.paths is None
            results = await (_read_each if each_alone else _read_cluster)(targets, access, tunnel, question)
    except SshError as error:
        raise ReadError([str(error)]) from error
    return Readings({target.name: result for target, result in zip(targets, results, strict=True)}, through)


async def _read_each(
    targets: Sequence[Target], access: Access, tunnel: asyncssh.SSHClientConnection | None, question: _Question
) -> list[Reading | str]:
    return await asyncio.gather(*(_read(target, access, tunnel, question) for target in targets))


async def _read(
    target: Target,
    access: Access,
    tunnel: asyncssh.SSHClientConnection | None,
    question: _Question,
) -> Reading | str:
    login = Login(target, access)
    try:
        async with login.connect(tunnel) as connection:
            reached = login.reached(connection)
            facts = await _facts(connection, reached.user, question)
            elsewhere = _mounted_from_elsewhere(facts) if question.paths is None else None
            if elsewhere is not None:
                facts = await _facts(connection, reached.user, replace(question, paths=elsewhere))
    except LOGIN_ERRORS as error:
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


def _mounted_from_elsewhere(facts: Facts) -> Mapping[str, str] | None:
    """Where the files are on the node when that is not where its flags say; flags hold paths in the container."""
    if facts.manifest is None:
        return None
    text = facts.manifest.text
    try:
        arguments = manifest.arguments(text)
        flags = [manifest.flag_value(arguments, name) or "" for name in FILE_FLAGS]
        policy, log, webhook = (manifest.node_path(text, flag) or flag for flag in flags)
    except ManifestError:
        return None
    found = FilePaths(policy, log, webhook)
    looked_at = FilePaths(facts.policy_path or "", facts.log_path or "", facts.webhook_path or "")
    return None if found == looked_at else found.named()
