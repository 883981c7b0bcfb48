"""Where the log is that a command reads: files here, or nodes over SSH.

`--nodes` names the nodes, `--stack` has them in its stack file. What is fetched lies in a folder that nobody else may
read and that goes when the command ends.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from auditlog.cli.common import UsageError, add_access
from auditlog.cli.terminal import progress_bar
from auditlog.events.sources import LogSet, find_logs

if TYPE_CHECKING:
    from auditlog.nodes.log_files import NodeLog
    from auditlog.nodes.ssh import Target
    from auditlog.settings import Settings

NO_LOG = "no log given: name a log file, a folder, - for standard input, or nodes with --nodes or --stack"


@dataclass(frozen=True, slots=True)
class Nodes:
    """What `--nodes` says."""

    count: int
    """How many control-plane nodes there are."""
    hosts: tuple[str, ...] = ()
    """Where their logs are to be read; empty where it is only said how many there are."""


def add_nodes(parser: argparse.ArgumentParser) -> None:
    """`--nodes` and `--stack`, and how nodes are reached."""
    group = parser.add_argument_group(
        "the cluster",
        "An empty answer is certain only where policy and nodes are known; else the exit code is 3. Without LOG and "
        "--loki, the log is read from the nodes over SSH, as root or with sudo without a password.",
    )
    group.add_argument(
        "--nodes",
        type=_nodes,
        metavar="HOSTS",
        help="the control-plane nodes whose logs to read, [user@]host[:port] with commas between; or just how many "
        "there are, beside a LOG",
    )
    group.add_argument(
        "--stack",
        metavar="NAME",
        help="take nodes and policy from Pulumi.NAME.yaml of the project here; a file's path does too",
    )
    add_access(group)


def _nodes(text: str) -> Nodes:
    if text.lstrip("-").isdecimal():
        return Nodes(int(text))
    hosts = tuple(host.strip() for host in text.split(",") if host.strip())
    if not hosts:
        raise argparse.ArgumentTypeError(f"{text!r} names no node: [user@]host[:port] with commas between, or a number")
    return Nodes(len(hosts), hosts)


def reads_nodes(arguments: argparse.Namespace) -> bool:
    """Whether the log comes from nodes. Raises UsageError where it is named twice."""
    hosts = bool(arguments.nodes and arguments.nodes.hosts)
    if arguments.logs and hosts:
        raise UsageError(
            f"--nodes {','.join(arguments.nodes.hosts)} and LOG ({arguments.logs[0]}) are both given; name "
            "one of the two"
        )
    return not arguments.logs and (hosts or arguments.stack is not None)


@contextmanager
def given_logs(arguments: argparse.Namespace, since: datetime | None = None) -> Iterator[LogSet]:
    """The log that the arguments name, until the block ends. `since` spares nodes what ends before it.

    Raises UsageError, SourceError, ReadError.
    """
    if not reads_nodes(arguments):
        yield find_logs(arguments.logs)
        return
    # Half a second to import, for asyncssh, that no command without nodes has to wait for.
    from auditlog.cli.hosts import own_access, stack_access
    from auditlog.nodes.log_files import fetch_logs
    from auditlog.nodes.read_nodes import ReadError

    by_hosts = arguments.nodes and arguments.nodes.hosts
    logs, bastion, problems = _of_hosts(arguments) if by_hosts else _of_stack(arguments)
    access = own_access(arguments) if by_hosts else stack_access(arguments)
    with TemporaryDirectory(prefix="auditlog-") as folder:
        with progress_bar(0) as progress:
            fetched = fetch_logs(logs, bastion, access, since, Path(folder), progress)
        problems += fetched.problems.values()
        if not fetched.folders:
            raise ReadError(problems)
        paths = {log.target.name: log.path.rpartition("/")[2] for log in logs}
        found = find_logs([f"{name}={place / paths[name]}" for name, place in fetched.folders.items()])
        missing = (f"a node is missing: {problem}" for problem in problems)
        yield replace(found, notes=(*found.notes, *missing), histories=fetched.histories)


def given_histories(arguments: argparse.Namespace) -> tuple[dict[str, str], tuple[str, ...]]:
    """The histories of policies on the nodes that the arguments name, by node, and which node is missing.

    Raises UsageError, ReadError.
    """
    from auditlog.cli.hosts import own_access, stack_access
    from auditlog.nodes.log_files import fetch_histories
    from auditlog.nodes.read_nodes import ReadError

    by_hosts = arguments.nodes and arguments.nodes.hosts
    logs, bastion, problems = _of_hosts(arguments) if by_hosts else _of_stack(arguments)
    fetched = fetch_histories(logs, bastion, own_access(arguments) if by_hosts else stack_access(arguments))
    problems += fetched.problems.values()
    if not fetched.histories:
        raise ReadError(problems)
    return dict(fetched.histories), tuple(f"a node is missing: {problem}" for problem in problems)


def moments(arguments: argparse.Namespace) -> tuple[dict[str, str], tuple[str, ...]]:
    """As `given_histories`, of this moment alone: what a stack's account that only reads can tell.

    Raises UsageError, ReadError.
    """
    from auditlog.cli.hosts import stack_access
    from auditlog.cli.stack import read_stack
    from auditlog.nodes.policy_seen import read_moments
    from auditlog.nodes.read_nodes import ReadError

    if arguments.stack is None or (arguments.nodes and arguments.nodes.hosts):
        raise UsageError("--reading is for --stack, whose stack file names the account that only reads")
    settings = read_stack(arguments.stack).settings()
    _check_machines(arguments, settings)
    told, problems = read_moments(settings, stack_access(arguments), int(time.time()))
    if not told:
        raise ReadError(problems)
    reader = settings.reading_user or "each node's own user"
    now_only = f"the nodes were read as {reader}: what they say of now, without the history that they keep"
    return told, (now_only, *(f"a node is missing: {problem}" for problem in problems))


def _of_hosts(arguments: argparse.Namespace) -> tuple[list[NodeLog], Target | None, list[str]]:
    """The logs where the nodes' own manifests have them, the bastion, and why a node could not be asked."""
    from auditlog.cli.hosts import own_access, targets_of
    from auditlog.nodes.log_files import NodeLog
    from auditlog.nodes.read_nodes import read_unknown_nodes

    targets, bastion = targets_of(arguments.nodes.hosts, arguments)
    readings = read_unknown_nodes(targets, bastion, own_access(arguments)).nodes
    logs, problems = [], []
    for target in targets:
        reading = readings[target.name]
        if isinstance(reading, str):
            problems.append(reading)
        elif not reading.facts.log_path or reading.facts.log_path == "-":
            problems.append(f"{target.name}: its API server writes no log file")
        else:
            logs.append(NodeLog(replace(target, name=reading.facts.hostname.lower()), reading.facts.log_path))
    return logs, bastion, problems


def _of_stack(arguments: argparse.Namespace) -> tuple[list[NodeLog], Target | None, list[str]]:
    from auditlog.cli.stack import read_stack
    from auditlog.nodes.log_files import NodeLog
    from auditlog.nodes.ssh import target_of

    settings = read_stack(arguments.stack).settings()
    if settings.log_file is None:
        raise UsageError(
            f"--stack {arguments.stack}: it writes no log file; allowed: a stack with auditLog.path, or --loki"
        )
    _check_machines(arguments, settings)
    logs = [NodeLog(target_of(node), settings.log_file) for node in settings.nodes_with_manifest]
    return logs, target_of(settings.bastion) if settings.bastion else None, []


def _check_machines(arguments: argparse.Namespace, settings: Settings) -> None:
    """Whether a stack's nodes can be reached by what its file says. Raises UsageError."""
    from auditlog.settings.setting import Encrypted

    machines = (*settings.nodes_with_manifest, *([settings.bastion] if settings.bastion else []))
    if any(isinstance(value, Encrypted) for each in machines for value in (each.host, each.host_key, each.user)):
        raise UsageError(f"--stack {arguments.stack}: its nodes are encrypted; allowed: --nodes with their hosts")
    if arguments.bastion or arguments.host_key:
        raise UsageError("--bastion and --host-key are for --nodes; a stack has its own")
