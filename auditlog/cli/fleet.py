"""`fleet`: all clusters of a project at once."""

from __future__ import annotations

import argparse
from typing import Any

from auditlog.cli.common import print_help
from auditlog.cli.output import add_output


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the command under `fleet`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "fleet",
        help="report the state of every cluster of a project",
        description="Read all clusters of a project at once.",
    )
    parser.set_defaults(run=lambda _: print_help(parser))
    commands = parser.add_subparsers(metavar="COMMAND")
    status = commands.add_parser(
        "status",
        help="one row for each cluster: audit, drift, last event, disk, blind detections, versions",
        description="Read the nodes of every stack file over SSH, some clusters at a time. Print one row for each: "
        "whether audit logging is on, with which policy, and whether the nodes are as the stack file asks for. "
        "Also the last event, the days that the disk holds, and detections that can never fire. Writes nothing.",
        epilog="Exit code 0: all is well; 1: there is something to look at; 2: a part cannot be known, and nothing was "
        "found in the rest.",
    )
    status.add_argument(
        "stacks", nargs="*", metavar="STACK", help="stack names or files (every Pulumi.*.yaml beside Pulumi.yaml)"
    )
    status.add_argument("--identity", metavar="FILE", help="the private key (default: the keys of the SSH agent)")
    status.add_argument(
        "--at-once", type=int, default=0, metavar="COUNT", help="how many clusters are read at a time (40)"
    )
    status.add_argument("--page", metavar="FILE", help="also write the table as one HTML file")
    add_output(status)
    status.set_defaults(run=_status)


def _status(arguments: argparse.Namespace) -> int:
    # Half a second to import, for asyncssh, that no other command has to wait for.
    from auditlog.cli import fleet_status

    return fleet_status.run(arguments)
