"""`inspect`: what is true of audit logging on the control-plane nodes of a cluster, read and never changed."""

from __future__ import annotations

import argparse
from typing import Any

from auditlog.cli.common import add_access
from auditlog.cli.output import add_output


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "inspect",
        help="report the state of audit logging on the nodes of a cluster; changes nothing",
        description="Read control-plane nodes over SSH, all at once. Report whether audit logging is on, with which "
        "policy, what is wrong with it, and what is not recorded. Report where the files, kubeadm and the running API "
        "server disagree. Writes nothing on the nodes. Requires root there, or sudo without a password.",
        epilog="Exit code 0: all is well; 1: something was found; 2: a node cannot be read. "
        "With --write-config, 1: the draft does not keep everything as it is, or another stack manages a node.",
    )
    parser.add_argument("hosts", nargs="+", metavar="HOST", help="[user@]host[:port] of a control-plane node")
    add_access(parser)
    output = parser.add_mutually_exclusive_group()
    add_output(output)
    output.add_argument(
        "--write-config",
        metavar="CLUSTER",
        help="write a Pulumi.<env>.yaml that takes over what is there, for a cluster of this name",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    # Half a second to import, for asyncssh, that no other command has to wait for.
    from auditlog.cli import inspect_nodes

    return inspect_nodes.run(arguments)
