"""The questions of an investigation: who, gaps, anonymous, escalations, secrets, deprecated."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from auditlog.cli.common import UsageError, add_logs, parse_moment, progress_bar
from auditlog.events import questions
from auditlog.events.coverage import TimeRange
from auditlog.events.event import Sighting
from auditlog.events.questions import Answer, Reach, WhoQuery
from auditlog.events.reading import DamageLog, read
from auditlog.events.render import Reading, answer_json, answer_text
from auditlog.events.sources import find_logs

Ask = Callable[[argparse.Namespace, Iterable[Sighting]], tuple[Answer, bool]]
"""Asks a question: the answer, and whether the exit code is 1."""


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the six commands."""
    who = _command(subparsers, "who", _who, "who sent a request", "Exit code 1: no such request in these logs.")
    who.add_argument("--verb", default="", help="get, list, watch, create, update, patch, delete, deletecollection")
    who.add_argument("--name", default="", help="name of the object; * stands for any text")
    who.add_argument("--namespace", default="")
    who.add_argument("--resource", default="", help="pods (with its subresources), deployments.apps, pods/exec")
    who.add_argument("--user", default="", help="user name, also of an impersonated user")
    who.add_argument("--limit", type=int, default=1000, help="keep this many of the latest matches (1000)")

    gaps = _command(subparsers, "gaps", _gaps, "where the log is silent", "Exit code 1: there are gaps.")
    gaps.add_argument("--over", type=float, default=60.0, metavar="SECONDS", help="shortest gap (60)")

    _command(
        subparsers,
        "anonymous",
        _anonymous,
        "what was tried without an identity",
        "Exit code 1: something that is not meant for everyone was reached.",
    )
    _command(
        subparsers,
        "escalations",
        _escalations,
        "bindings to cluster-admin or to everyone, roles with wildcards",
        "Exit code 1: there are findings, also when the log does not hold enough to be sure.",
    )
    secrets = _command(subparsers, "secrets", _secrets, "who read which Secret", "Exit code 1: nobody in these logs.")
    secrets.add_argument("--namespace", default="", help="only Secrets of this namespace")
    _command(subparsers, "deprecated", _deprecated, "who uses deprecated APIs", "Exit code 1: somebody does.")


def _command(
    subparsers: argparse._SubParsersAction[Any], name: str, ask: Ask, purpose: str, exit_code: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name, help=purpose, description=f"Tells {purpose}.", epilog=exit_code
    )
    add_logs(parser)
    parser.add_argument("--since", type=parse_moment, metavar="TIME", help="2025-02-21T10:00:00Z (UTC), or 24h ago")
    parser.add_argument("--until", type=parse_moment, metavar="TIME")
    parser.set_defaults(run=lambda arguments: _run(name, ask, arguments))
    return parser


def _run(question: str, ask: Ask, arguments: argparse.Namespace) -> int:
    if arguments.since and arguments.until and arguments.since > arguments.until:
        raise UsageError(f"--since ({arguments.since}) is later than --until ({arguments.until})")
    logs = find_logs(arguments.logs)
    damage = DamageLog()
    with progress_bar(logs.size) as progress:
        answer, is_one = ask(arguments, read(logs, damage, progress))
    coverage = answer.coverage
    seen = {node.node for node in coverage.nodes} | {part.node for part in coverage.uncovered}
    without_events = dict.fromkeys(file.node for file in logs.files if file.node not in seen)
    reading = Reading(tuple(without_events), logs.notes, damage.result())
    sys.stdout.write(answer_json(question, answer, reading) if arguments.json else answer_text(answer, reading))
    return int(is_one)


def _time(arguments: argparse.Namespace) -> TimeRange:
    return TimeRange(arguments.since, arguments.until)


def _who(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> tuple[Answer, bool]:
    if arguments.limit < 1:
        raise UsageError(f"--limit is {arguments.limit}; 1 or more is needed")
    answer = questions.who(
        sightings,
        WhoQuery(
            verb=arguments.verb,
            name=arguments.name,
            namespace=arguments.namespace,
            resource=arguments.resource,
            user=arguments.user,
            time=_time(arguments),
            limit=arguments.limit,
        ),
    )
    return answer, not (answer.matches or answer.possible)


def _gaps(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> tuple[Answer, bool]:
    if not arguments.over > 0:
        raise UsageError(f"--over is {arguments.over:g}; more than 0 seconds are needed")
    answer = questions.gaps(sightings, _time(arguments), timedelta(seconds=arguments.over))
    return answer, bool(answer.gaps)


def _anonymous(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> tuple[Answer, bool]:
    answer = questions.anonymous(sightings, _time(arguments))
    return answer, any(access.reach is Reach.REACHED for access in answer.accesses)


def _escalations(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> tuple[Answer, bool]:
    answer = questions.escalations(sightings, _time(arguments))
    return answer, bool(answer.findings)


def _secrets(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> tuple[Answer, bool]:
    answer = questions.secrets(sightings, _time(arguments), arguments.namespace)
    return answer, not answer.accesses


def _deprecated(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> tuple[Answer, bool]:
    answer = questions.deprecated(sightings, _time(arguments))
    return answer, bool(answer.uses)
