"""`ledger`: whether what the nodes' files hold and what Loki holds is the same, minute by minute."""

from __future__ import annotations

import argparse
from typing import Any

from auditlog.cli.loki import add_loki_access
from auditlog.cli.output import add_output
from auditlog.cli.prometheus import add_prometheus_access
from auditlog.cli.times import add_times
from auditlog.ledger.finding import EXIT_CODES


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "ledger",
        help="check whether Loki has every event that the nodes' files have",
        description=("Compare the events in the nodes' files with Loki, minute by minute, without moving the logs."),
        epilog=EXIT_CODES,
    )
    parser.add_argument(
        "logs", nargs="*", metavar="NODE=LOG", help="without --stack: the log of a node, on this machine"
    )
    parser.add_argument(
        "--stack", metavar="NAME", help="ask the nodes and the Loki of Pulumi.NAME.yaml, or of a stack file"
    )
    parser.add_argument(
        "--identity", metavar="FILE", help="the key to log in with (default: the keys of the SSH agent)"
    )
    add_times(parser, since="the last 24 hours, as far as files reach", until="now")
    chain = parser.add_argument_group("the chain", "Finds what is changed in files between two runs.")
    chain.add_argument(
        "--chain", metavar="FILE", help="compare with what earlier runs saw, and append what this one sees"
    )
    chain.add_argument(
        "--head", metavar="DIGEST", default="", help="the digest that an earlier run printed; it must be in FILE"
    )
    loki = parser.add_argument_group("Loki", "In place of what the stack file says.")
    add_loki_access(loki, "the label cluster")
    prometheus = parser.add_argument_group("Prometheus", "For the API servers' own count.")
    add_prometheus_access(prometheus, "take the counters from there, and not from the last run of the chain")
    add_output(parser)
    parser.add_argument("--report", metavar="FILE", help="also write the result as JSON to this file")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    # Half a second to import, for asyncssh, that no other command has to wait for.
    from auditlog.cli import ledger_run

    return ledger_run.run(arguments)
