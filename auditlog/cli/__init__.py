"""The command line: `python -m auditlog COMMAND …`.

Exit codes: 0 done, 1 findings (each command's help says which), 2 wrong usage or unreadable input, 130 ended by Ctrl-C,
141 the reader of the output went away. Questions about logs have those of `auditlog.events.outcome`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from auditlog.cli import config, detections, inspect, ledger, policy, questions, replay, summary
from auditlog.cli.common import UsageError
from auditlog.events.budget import BudgetError
from auditlog.events.sources import SourceError
from auditlog.policy.model import PolicyError

COMMAND_GROUPS = (inspect, config, policy, detections, questions, ledger, replay, summary)
"""Each module offers `register(subparsers)` and gives its commands a `run(arguments) -> int`."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (--help tells more)\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser with every command."""
    parser = _Parser(
        prog="auditlog",
        description="Kubernetes audit policies and audit logs: what a policy does, and what a log holds.",
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for group in COMMAND_GROUPS:
        group.register(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code."""
    try:
        arguments = build_parser().parse_args(argv)
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except (UsageError, SourceError, BudgetError, PolicyError) as problem:
        print(f"auditlog: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The interpreter flushes once more when it exits, and must not meet the closed pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code
