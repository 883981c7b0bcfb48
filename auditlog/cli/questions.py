"""The questions of an investigation: who, gaps, anonymous, escalations, secrets, deprecated."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from auditlog.cli.common import UsageError, add_logs, parse_moment, progress_bar
from auditlog.cli.loki import add_loki, loki_store
from auditlog.events import questions
from auditlog.events.coverage import TimeRange
from auditlog.events.event import Sighting
from auditlog.events.loki import filters
from auditlog.events.loki.store import LokiStore
from auditlog.events.questions import Answer, Reach, WhoQuery
from auditlog.events.reading import DamageLog, read
from auditlog.events.render import Reading, answer_json, answer_text
from auditlog.events.sources import find_logs

Ask = Callable[[argparse.Namespace, Iterable[Sighting]], tuple[Answer, bool]]
"""Asks a question: the answer, and whether the exit code is 1."""

LineFilter = Callable[[argparse.Namespace], str]
"""What Loki may leave out before the question is asked."""


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the six commands."""
    who = _command(
        subparsers,
        "who",
        _who,
        lambda arguments: filters.who_filter(_who_query(arguments)),
        "who sent a request",
        "Exit code 1: no such request in these logs.",
    )
    who.add_argument("--verb", default="", help="get, list, watch, create, update, patch, delete, deletecollection")
    who.add_argument("--name", default="", help="name of the object; * stands for any text")
    who.add_argument("--namespace", default="")
    who.add_argument("--resource", default="", help="pods (with its subresources), deployments.apps, pods/exec")
    who.add_argument("--user", default="", help="user name, also of an impersonated user")
    who.add_argument("--limit", type=int, default=1000, help="keep this many of the latest matches (1000)")

    gaps = _command(subparsers, "gaps", _gaps, None, "where the log is silent", "Exit code 1: there are gaps.")
    gaps.add_argument("--over", type=float, default=60.0, metavar="SECONDS", help="shortest gap (60)")

    _command(
        subparsers,
        "anonymous",
        _anonymous,
        lambda _: filters.ANONYMOUS,
        "what was tried without an identity",
        "Exit code 1: something that is not meant for everyone was reached.",
    )
    _command(
        subparsers,
        "escalations",
        _escalations,
        lambda _: filters.ESCALATIONS,
        "bindings to cluster-admin or to everyone, roles with wildcards",
        "Exit code 1: there are findings, also when the log does not hold enough to be sure.",
    )
    secrets = _command(
        subparsers,
        "secrets",
        _secrets,
        lambda _: filters.SECRETS,
        "who read which Secret",
        "Exit code 1: nobody in these logs.",
    )
    secrets.add_argument("--namespace", default="", help="only Secrets of this namespace")
    _command(
        subparsers,
        "deprecated",
        _deprecated,
        lambda _: filters.DEPRECATED,
        "who uses deprecated APIs",
        "Exit code 1: somebody does.",
    )


def _command(
    subparsers: argparse._SubParsersAction[Any],
    name: str,
    ask: Ask,
    line_filter: LineFilter | None,
    purpose: str,
    exit_code: str,
) -> argparse.ArgumentParser:
    """A question's command. Without a line filter Loki answers it on its own, see `_gaps_in_loki`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name, help=purpose, description=f"Tells {purpose}.", epilog=exit_code
    )
    add_logs(parser, required=False)
    parser.add_argument("--since", type=parse_moment, metavar="TIME", help="2025-02-21T10:00:00Z (UTC), or 24h ago")
    parser.add_argument("--until", type=parse_moment, metavar="TIME")
    add_loki(parser)
    parser.set_defaults(run=lambda arguments: _run(name, ask, line_filter, arguments))
    return parser


def _run(question: str, ask: Ask, line_filter: LineFilter | None, arguments: argparse.Namespace) -> int:
    if arguments.since and arguments.until and arguments.since > arguments.until:
        raise UsageError(f"--since ({arguments.since}) is later than --until ({arguments.until})")
    if arguments.loki:
        answer, is_one, reading = _from_loki(ask, line_filter, arguments)
    elif arguments.logs:
        answer, is_one, reading = _from_files(ask, arguments)
    else:
        raise UsageError("no log given: name a log file, a folder, - for standard input, or --loki URL")
    sys.stdout.write(answer_json(question, answer, reading) if arguments.json else answer_text(answer, reading))
    return int(is_one)


def _from_files(ask: Ask, arguments: argparse.Namespace) -> tuple[Answer, bool, Reading]:
    logs = find_logs(arguments.logs)
    damage = DamageLog()
    with progress_bar(logs.size) as progress:
        answer, is_one = ask(arguments, read(logs, damage, progress))
    coverage = answer.coverage
    seen = {node.node for node in coverage.nodes} | {part.node for part in coverage.uncovered}
    without_events = dict.fromkeys(file.node for file in logs.files if file.node not in seen)
    return answer, is_one, Reading(tuple(without_events), logs.notes, damage.result())


def _from_loki(ask: Ask, line_filter: LineFilter | None, arguments: argparse.Namespace) -> tuple[Answer, bool, Reading]:
    """Loki leaves out what cannot matter, so how far its events reach is asked on its own."""
    store, notes = loki_store(arguments)
    arguments.since, arguments.until = store.since, store.until
    damage = DamageLog()
    if line_filter is None:
        answer, is_one = _gaps_in_loki(arguments, store)
    else:
        with progress_bar(0) as progress:
            answer, is_one = ask(arguments, store.read(line_filter(arguments), damage, progress))
        answer = replace(answer, coverage=store.coverage())
    if not answer.coverage.nodes:
        notes = (*notes, f"Loki has no event of {store.selector} in this time: nothing is known")
    return answer, is_one, Reading(store.silent_nodes(answer.coverage), notes, damage.result())


def _time(arguments: argparse.Namespace) -> TimeRange:
    return TimeRange(arguments.since, arguments.until)


def _who(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> tuple[Answer, bool]:
    if arguments.limit < 1:
        raise UsageError(f"--limit is {arguments.limit}; 1 or more is needed")
    answer = questions.who(sightings, _who_query(arguments))
    return answer, not (answer.matches or answer.possible)


def _who_query(arguments: argparse.Namespace) -> WhoQuery:
    return WhoQuery(
        verb=arguments.verb,
        name=arguments.name,
        namespace=arguments.namespace,
        resource=arguments.resource,
        user=arguments.user,
        time=_time(arguments),
        limit=arguments.limit,
    )


def _gaps(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> tuple[Answer, bool]:
    if not arguments.over > 0:
        raise UsageError(f"--over is {arguments.over:g}; more than 0 seconds are needed")
    answer = questions.gaps(sightings, _time(arguments), timedelta(seconds=arguments.over))
    return answer, bool(answer.gaps)


def _gaps_in_loki(arguments: argparse.Namespace, store: LokiStore) -> tuple[Answer, bool]:
    if not arguments.over >= 1:
        raise UsageError(f"--over is {arguments.over:g}; of Loki, gaps of 1 second or more can be asked")
    answer = store.gaps(timedelta(seconds=arguments.over))
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
