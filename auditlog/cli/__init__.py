"""The command line: `auditlog COMMAND …`, and as a plugin of kubectl `kubectl audit COMMAND …`.

Questions about logs have the exit codes of `auditlog.events.outcome`. All others have these:

- 0: done
- 1: findings; each command's help says which
- 2: wrong usage or unreadable input
- 130: ended by Ctrl-C
- 141: the reader of the output went away
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, NoReturn

from auditlog import __version__
from auditlog.cli import (
    completion,
    config,
    detections,
    exports,
    fleet,
    inspect,
    ledger,
    lineage,
    policy,
    policy_history,
    questions,
    render,
    replay,
    report,
    summary,
    timeline,
    tune,
)
from auditlog.cli.common import UsageError, print_help
from auditlog.errors import AuditlogError
from auditlog.events.layout import safe_lines

COMMAND_GROUPS = (
    inspect,
    fleet,
    config,
    policy,
    policy_history,
    detections,
    exports,
    questions,
    timeline,
    lineage,
    ledger,
    replay,
    tune,
    report,
    render,
    summary,
)
"""Each module offers `register(subparsers)` and gives its commands a `run(arguments) -> int`."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and lets options stand between the words of a command that has no commands."""

    _is_intermixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        # argparse gives `SUBJECT -n prod LOG` no LOG: it takes the first group of words for all positional arguments.
        if self._is_intermixing or any(each.nargs == argparse.PARSER for each in self._actions):
            return super().parse_known_args(args, namespace)
        self._is_intermixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_intermixing = False

    def error(self, message: str) -> NoReturn:
        self.exit(UsageError.exit_code, f"{self.prog}: {message} (--help tells more)\n")


def build_parser(program: str = "auditlog") -> argparse.ArgumentParser:
    """The parser with every command. `program` is what people call it by."""
    parser = _Parser(
        prog=program,
        description="Know what a Kubernetes audit policy does, and what an audit log holds.",
    )
    parser.add_argument("--version", action="version", version=f"auditlog {__version__}")
    parser.set_defaults(run=lambda _: print_help(parser))
    subparsers = parser.add_subparsers(metavar="COMMAND")
    for group in COMMAND_GROUPS:
        group.register(subparsers)
    completion.register(subparsers, build_parser)
    return parser


def program_name(path: str) -> str:
    """What people called the program by: kubectl starts a plugin by the path of `kubectl-audit`."""
    return "kubectl audit" if PurePath(path).stem == "kubectl-audit" else "auditlog"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code."""
    try:
        arguments = build_parser(program_name(sys.argv[0])).parse_args(argv)
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except AuditlogError as error:
        sys.stdout.flush()
        for message in error.messages:
            print(f"auditlog: {safe_lines(message)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The interpreter flushes once more when it exits, and must not meet the closed pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code
