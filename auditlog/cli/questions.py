"""The questions of an investigation: who, gaps, anonymous, escalations, secrets, deprecated."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from auditlog.cli.common import UsageError, add_logs
from auditlog.cli.known import add_known, known_cluster
from auditlog.cli.logs import NO_LOG, add_nodes, given_logs, reads_nodes
from auditlog.cli.loki import add_loki, loki_store
from auditlog.cli.output import Output, write
from auditlog.cli.terminal import progress_bar
from auditlog.cli.times import SPAN_HELP, add_times, resolve_times, span
from auditlog.cli.who import add_who, custom_resource, remarks, who_query
from auditlog.events import questions
from auditlog.events.answer_text import Reading, answer_json, answer_text
from auditlog.events.coverage import TimeRange
from auditlog.events.event import Sighting
from auditlog.events.evidence import Evidence
from auditlog.events.judgement import Known, Material, judge, judge_gaps
from auditlog.events.layout import shown_in
from auditlog.events.loki import filters
from auditlog.events.loki.store import LokiStore
from auditlog.events.outcome import EXIT_CODES, Outcome
from auditlog.events.questions import Answer, GapsAnswer, WhoAnswer
from auditlog.events.reading import DamageLog, check_logs, read
from auditlog.events.sources import LogSet
from auditlog.policy.recording import Need


@dataclass(frozen=True, slots=True)
class _Question:
    """How a question is asked. `need` is what it looks for, `line_filter` what Loki may leave out beforehand.

    Both are None for gaps, which are no requests: Loki finds them, see `_gaps_in_loki`.
    """

    name: str
    ask: Callable[[argparse.Namespace, Iterable[Sighting]], Answer]
    need: Callable[[argparse.Namespace, Answer], Need] | None
    line_filter: Callable[[argparse.Namespace], str] | None
    records: tuple[str, ...]
    """The rows of CSV, as in `auditlog.cli.output.Output`."""


@dataclass(frozen=True, slots=True)
class _Found:
    """An answer, and what it was read from."""

    answer: Answer
    material: Material
    notes: tuple[str, ...]


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the six commands."""
    who = _command(
        subparsers,
        _Question(
            "who",
            _who,
            _who_need,
            lambda arguments: filters.who_filter(who_query(arguments)),
            ("answer.matches", "answer.possible"),
        ),
        "show who sent a request",
    )
    add_who(who)

    gaps = _command(subparsers, _Question("gaps", _gaps, None, None, ("answer.gaps",)), "show where the log is silent")
    gaps.add_argument(
        "--over", type=span, default=timedelta(seconds=60), metavar="SPAN", help=f"shortest gap: {SPAN_HELP} (60)"
    )

    _command(
        subparsers,
        _Question(
            "anonymous",
            _anonymous,
            lambda *_: questions.ANONYMOUS_NEED,
            lambda _: filters.ANONYMOUS,
            ("answer.accesses",),
        ),
        "show what was tried without an identity",
    )
    _command(
        subparsers,
        _Question(
            "escalations",
            _escalations,
            lambda *_: questions.ESCALATIONS_NEED,
            lambda _: filters.ESCALATIONS,
            ("answer.findings",),
        ),
        "show bindings to cluster-admin or to everyone, and roles with wildcards",
    )
    secrets = _command(
        subparsers,
        _Question(
            "secrets",
            _secrets,
            lambda arguments, _: questions.secrets_need(arguments.namespace),
            lambda _: filters.SECRETS,
            ("answer.accesses",),
        ),
        "show who read which Secret",
    )
    secrets.add_argument("--namespace", default="", help="only Secrets of this namespace")
    _command(
        subparsers,
        _Question(
            "deprecated",
            _deprecated,
            lambda *_: questions.DEPRECATED_NEED,
            lambda _: filters.DEPRECATED,
            ("answer.uses",),
        ),
        "show who uses deprecated APIs; the control plane is only counted",
    )


def _command(subparsers: argparse._SubParsersAction[Any], question: _Question, purpose: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        question.name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.", epilog=EXIT_CODES
    )
    add_logs(parser)
    add_times(parser)
    add_known(parser)
    add_nodes(parser)
    add_loki(parser)
    parser.set_defaults(run=lambda arguments: _run(question, arguments))
    return parser


def _run(question: _Question, arguments: argparse.Namespace) -> int:
    resolve_times(arguments)
    with shown_in(arguments.time_zone):
        return _answered(question, arguments)


def _answered(question: _Question, arguments: argparse.Namespace) -> int:
    known, notes = known_cluster(arguments)
    if arguments.loki:
        found = _from_loki(question, arguments, known)
    elif arguments.logs or reads_nodes(arguments):
        with given_logs(arguments, arguments.since) as logs:
            found = _from_files(question, arguments, known, logs)
    else:
        raise UsageError(f"{NO_LOG}, or --loki URL")
    answer = found.answer
    if isinstance(answer, WhoAnswer):
        notes = (*notes, *remarks(who_query(arguments), answer, found.material.evidence))
    outcome = _outcome(question, arguments, found, known)
    reading = Reading(found.material.empty_nodes, (*found.notes, *notes), found.material.damage)
    write(
        arguments.output,
        Output(
            lambda width: answer_text(answer, outcome, reading, width),
            lambda: answer_json(question.name, answer, outcome, reading),
            question.records,
        ),
    )
    return outcome.exit_code


def _outcome(question: _Question, arguments: argparse.Namespace, found: _Found, known: Known) -> Outcome:
    if isinstance(found.answer, GapsAnswer):
        return judge_gaps(found.answer, known, found.material)
    assert question.need is not None  # noqa: S101 - every other question looks for requests
    return judge(found.answer, question.need(arguments, found.answer), known, found.material)


def _from_files(question: _Question, arguments: argparse.Namespace, known: Known, logs: LogSet) -> _Found:
    damage = DamageLog()
    evidence = Evidence(known.policy, _time(arguments))
    with progress_bar(logs.size) as progress:
        answer = question.ask(arguments, evidence.over(read(logs, damage, progress)))
    check_logs(logs, damage, evidence.nodes)
    coverage = answer.coverage
    seen = {node.node for node in coverage.nodes} | {part.node for part in coverage.uncovered}
    without_events = dict.fromkeys(file.node for file in logs.files if file.node not in seen)
    return _Found(answer, Material(evidence, tuple(without_events), damage.result()), logs.notes)


def _from_loki(question: _Question, arguments: argparse.Namespace, known: Known) -> _Found:
    """Loki leaves out what cannot matter, so how far its events reach is asked on its own."""
    store, notes = loki_store(arguments)
    arguments.since, arguments.until = store.since, store.until
    damage = DamageLog()
    evidence = Evidence(known.policy, store.time, is_whole=False)
    answer: Answer
    if question.line_filter is None:
        answer = _gaps_in_loki(arguments, store)
    else:
        with progress_bar(0) as progress:
            answer = question.ask(
                arguments, evidence.over(store.read(question.line_filter(arguments), damage, progress))
            )
        answer = replace(answer, coverage=store.coverage())
    if isinstance(answer, WhoAnswer) and (resource := custom_resource(who_query(arguments))):
        # Events about it may have been left out for another reason.
        evidence.resources.update({resource} if any(store.counts(filters.of_resource(resource)).values()) else ())
    if known.policy is None:
        evidence.beats.update(store.counts(filters.HEARTBEAT))
    if not answer.coverage.nodes:
        notes = (*notes, f"Loki has no event of {store.selector} in this time: nothing is known")
    silent = store.silent_nodes(answer.coverage)
    names = (*silent, *(node.node for node in answer.coverage.nodes))
    clusters = tuple(sorted({name.partition("/")[0] for name in names if "/" in name}))
    return _Found(answer, Material(evidence, silent, damage.result(), clusters), notes)


def _time(arguments: argparse.Namespace) -> TimeRange:
    return TimeRange(arguments.since, arguments.until)


def _who(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> Answer:
    return questions.who(sightings, who_query(arguments))


def _who_need(arguments: argparse.Namespace, answer: Answer) -> Need:
    return questions.who_need(who_query(arguments), answer.user if isinstance(answer, WhoAnswer) else "")


def _gaps(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> Answer:
    return questions.gaps(sightings, _time(arguments), arguments.over)


def _gaps_in_loki(arguments: argparse.Namespace, store: LokiStore) -> Answer:
    if arguments.over < timedelta(seconds=1):
        seconds = arguments.over.total_seconds()
        raise UsageError(f"--over is {seconds:g}; of Loki, gaps of 1 second or more can be asked")
    return store.gaps(arguments.over)


def _anonymous(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> Answer:
    return questions.anonymous(sightings, _time(arguments))


def _escalations(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> Answer:
    return questions.escalations(sightings, _time(arguments))


def _secrets(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> Answer:
    return questions.secrets(sightings, _time(arguments), arguments.namespace)


def _deprecated(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> Answer:
    return questions.deprecated(sightings, _time(arguments))
