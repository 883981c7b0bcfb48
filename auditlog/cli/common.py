"""What the commands share: the error for a wrong argument, and arguments that several have."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from auditlog.cli.output import add_output
from auditlog.errors import AuditlogError

LOG_HELP = (
    "a log file with its rotated files, a folder with a log or with one folder per node, or - for standard input. "
    "Name its node in front of it: cp1=/var/log/kubernetes/audit/audit.log"
)

STDIN = "-"


class UsageError(AuditlogError):
    """An argument that cannot be used; the message names it and says what is allowed."""


def print_help(parser: argparse.ArgumentParser) -> int:
    """What a command with subcommands does if none is given."""
    parser.print_help()
    return 0


def check_login(option: str, user: str, password_file: str, token_file: str) -> None:
    """Whether the options `OPTION-user`, `-password-file` and `-token-file` go together. Raises UsageError."""
    if bool(user) != bool(password_file):
        raise UsageError(f"{option}-user and {option}-password-file are needed together")
    if user and token_file:
        raise UsageError(f"{option}-user and {option}-token-file are both given; name one of the two")


def add_access(parser: argparse._ActionsContainer) -> None:
    """How machines are reached over SSH; `auditlog.cli.hosts` reads it."""
    parser.add_argument(
        "--identity", metavar="FILE", help="the private key (default: the keys of the SSH agent and ~/.ssh)"
    )
    parser.add_argument("--bastion", metavar="HOST", help="[user@]host[:port] through which to reach the nodes")
    parser.add_argument(
        "--host-key",
        action="append",
        default=[],
        metavar="KEY",
        help="a host's public key, if known_hosts lacks it, as ssh-keyscan prints it: 'HOST ssh-ed25519 AAAA…'. "
        "For a single HOST the part after the host is enough",
    )


def add_logs(parser: argparse.ArgumentParser, others: Sequence[str] = ()) -> None:
    """The positional arguments that name logs, and --output. None is required: nodes and Loki have logs too.

    `others` are forms of output that only this command has.
    """
    parser.add_argument("logs", nargs="*", metavar="LOG", help=LOG_HELP)
    add_output(parser, others)


def add_processes(parser: argparse.ArgumentParser) -> None:
    """`--processes`; `processes_of` reads it."""
    parser.add_argument(
        "--processes", type=int, default=0, metavar="N", help="processes that read the log (one a core)"
    )


def processes_of(arguments: argparse.Namespace) -> int:
    """What `--processes` says; one for each core where it says nothing. Raises UsageError."""
    return at_least_one("--processes", arguments.processes or _cores())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def at_least_one(option: str, value: int) -> int:
    """The value of an option that counts something. Raises UsageError below 1."""
    if value < 1:
        raise UsageError(f"{option} is {value}; 1 or more is needed")
    return value
