"""`replay`: what a log holds per day, what another policy would have written, and how long the space lasts."""

from __future__ import annotations

import argparse
from typing import Any

from auditlog.cli.common import UsageError, add_logs, add_processes, at_least_one, processes_of
from auditlog.cli.logs import NO_LOG, add_nodes, given_logs, reads_nodes
from auditlog.cli.named_policy import POLICY_HELP, named_policy
from auditlog.cli.output import Output, write
from auditlog.cli.terminal import progress_bar
from auditlog.events.budget import DiskBudget, parse_size
from auditlog.events.reading import no_audit_log
from auditlog.events.render import report_json, report_text
from auditlog.events.replay import ReplaySettings, replay
from auditlog.events.sources import LogSet


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "replay",
        help="count what a log holds, and what another policy would have written",
        description="Count a recorded log per day by level, rule, user, resource and namespace, and what another "
        "policy would have written. Copies of a log file are skipped; what two other files share counts twice.",
        epilog="Exit code 1: the log has no events.",
    )
    add_logs(parser)
    add_nodes(parser)
    parser.add_argument("--policy", metavar="POLICY", help=f"the policy to try: {POLICY_HELP}")
    parser.add_argument(
        "--recorded-policy", metavar="POLICY", help="the policy the log was written under, for its rules' shares"
    )
    parser.add_argument("--top", type=int, default=10, help="names to show of users, resources and namespaces (10)")
    add_processes(parser)
    space = add_space(parser)
    space.add_argument(
        "--loki-budget", metavar="SIZE", help="uncompressed bytes that Loki may take from all nodes: 50GiB"
    )
    parser.set_defaults(run=_run)


def add_space(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """The options for the space that a log has; `disk_budget` reads them."""
    space = parser.add_argument_group("space", "days until it is used up")
    space.add_argument("--audit-log-maxsize", type=int, metavar="MB", help="size of a log file (API server flag)")
    space.add_argument("--audit-log-maxbackup", type=int, metavar="FILES", help="rotated files kept (API server flag)")
    space.add_argument("--audit-log-maxage", type=int, default=0, metavar="DAYS", help="age at which files are deleted")
    return space


def _run(arguments: argparse.Namespace) -> int:
    settings = ReplaySettings(
        policy=named_policy(arguments.policy) if arguments.policy else None,
        recorded=named_policy(arguments.recorded_policy) if arguments.recorded_policy else None,
        top=at_least_one("--top", arguments.top),
        disk=disk_budget(arguments),
        loki_bytes=parse_size(arguments.loki_budget) if arguments.loki_budget else None,
        processes=processes_of(arguments),
    )
    if not arguments.logs and not reads_nodes(arguments):
        raise UsageError(NO_LOG)
    with given_logs(arguments) as logs:
        return _replay(logs, settings, arguments)


def _replay(logs: LogSet, settings: ReplaySettings, arguments: argparse.Namespace) -> int:
    with progress_bar(logs.size) as progress:
        report = replay(logs, settings, progress)
    if report.recorded.events == 0 and report.damage.count:
        raise no_audit_log(", ".join(file.path for file in logs.files), report.damage.examples[0].reason)
    write(
        arguments.output,
        Output(lambda width: report_text(report, width), lambda: report_json(report), ("tables.*.lines",)),
    )
    return int(report.recorded.events == 0)


def disk_budget(arguments: argparse.Namespace) -> DiskBudget | None:
    """What the API server keeps; None if no argument says. Raises UsageError if only half is given."""
    maxsize, maxbackup = arguments.audit_log_maxsize, arguments.audit_log_maxbackup
    if maxsize is None and maxbackup is None:
        return None
    if maxsize is None or maxbackup is None:
        raise UsageError("--audit-log-maxsize and --audit-log-maxbackup are needed together")
    return DiskBudget(maxsize, maxbackup, arguments.audit_log_maxage)
