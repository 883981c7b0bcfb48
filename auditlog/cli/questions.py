"""The questions of an investigation: who, gaps, anonymous, escalations, secrets, deprecated."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from auditlog.cli.asking import Question, add_question, time_of
from auditlog.cli.common import UsageError
from auditlog.cli.resource_names import custom_resource
from auditlog.cli.times import SPAN_HELP, span
from auditlog.cli.who import add_who, remarks, who_query
from auditlog.events import questions
from auditlog.events.event import Sighting
from auditlog.events.evidence import Evidence
from auditlog.events.in_parts import Wanted
from auditlog.events.loki import filters
from auditlog.events.loki.store import LokiStore
from auditlog.events.questions import Answer, WhoAnswer
from auditlog.policy.recording import Need


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the six commands."""
    add_who(_command(subparsers, _WHO, "show who sent a request"))
    gaps = _command(subparsers, _GAPS, "show where the log is silent")
    gaps.add_argument(
        "--over", type=span, default=timedelta(seconds=60), metavar="SPAN", help=f"shortest gap: {SPAN_HELP} (60)"
    )
    _command(subparsers, _ANONYMOUS, "show what was tried without an identity")
    _command(subparsers, _ESCALATIONS, "show bindings to cluster-admin or to everyone, and roles with wildcards")
    secrets = _command(subparsers, _SECRETS, "show who read which Secret")
    secrets.add_argument("--namespace", default="", help="only Secrets of this namespace")
    _command(subparsers, _DEPRECATED, "show who uses deprecated APIs; the control plane is only counted")


def _command(subparsers: argparse._SubParsersAction[Any], question: Question, purpose: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        question.name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}."
    )
    add_question(parser, question)
    return parser


def _who(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> Answer:
    return questions.who(sightings, who_query(arguments))


def _who_need(arguments: argparse.Namespace, answer: Answer) -> Need:
    return questions.who_need(who_query(arguments), answer.user if isinstance(answer, WhoAnswer) else "")


def _who_remarks(arguments: argparse.Namespace, answer: Answer, evidence: Evidence) -> Iterator[str]:
    return remarks(who_query(arguments), answer, evidence) if isinstance(answer, WhoAnswer) else iter(())


def _who_wanted(arguments: argparse.Namespace) -> Callable[[], Wanted] | None:
    query = who_query(arguments)
    return None if query.is_open else partial(questions.who_wants, query)


def _wanted(fits: Callable[[argparse.Namespace], Wanted]) -> Callable[[argparse.Namespace], Callable[[], Wanted]]:
    """The events that fit, in the time that is asked for."""
    return lambda arguments: partial(questions.within, time_of(arguments), fits(arguments))


def _gaps(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> Answer:
    return questions.gaps(sightings, time_of(arguments), arguments.over)


def _gaps_in_loki(arguments: argparse.Namespace, store: LokiStore) -> Answer:
    if arguments.over < timedelta(seconds=1):
        seconds = arguments.over.total_seconds()
        raise UsageError(f"--over is {seconds:g}; of Loki, gaps of 1 second or more can be asked")
    return store.gaps(arguments.over)


def _anonymous(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> Answer:
    return questions.anonymous(sightings, time_of(arguments))


def _escalations(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> Answer:
    return questions.escalations(sightings, time_of(arguments))


def _secrets(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> Answer:
    return questions.secrets(sightings, time_of(arguments), arguments.namespace)


def _deprecated(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> Answer:
    return questions.deprecated(sightings, time_of(arguments))


_WHO = Question(
    "who",
    _who,
    _who_need,
    lambda arguments: filters.who_filter(who_query(arguments)),
    ("answer.matches", "answer.possible"),
    remarks=_who_remarks,
    wanted=_who_wanted,
    custom_resource=lambda arguments: custom_resource(who_query(arguments).resource),
)
_GAPS = Question("gaps", _gaps, None, None, ("answer.gaps",), _gaps_in_loki)
_ANONYMOUS = Question(
    "anonymous",
    _anonymous,
    lambda *_: questions.ANONYMOUS_NEED,
    lambda _: filters.ANONYMOUS,
    ("answer.accesses",),
    wanted=_wanted(lambda _: questions.is_anonymous),
)
_ESCALATIONS = Question(
    "escalations",
    _escalations,
    lambda *_: questions.ESCALATIONS_NEED,
    lambda _: filters.ESCALATIONS,
    ("answer.findings",),
    wanted=_wanted(lambda _: questions.changes_rbac),
)
_SECRETS = Question(
    "secrets",
    _secrets,
    lambda arguments, _: questions.secrets_need(arguments.namespace),
    lambda _: filters.SECRETS,
    ("answer.accesses",),
    wanted=_wanted(lambda arguments: partial(questions.reads_secrets, arguments.namespace)),
)
_DEPRECATED = Question(
    "deprecated",
    _deprecated,
    lambda *_: questions.DEPRECATED_NEED,
    lambda _: filters.DEPRECATED,
    ("answer.uses",),
    wanted=_wanted(lambda _: questions.uses_deprecated),
)
