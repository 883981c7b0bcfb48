"""`auditlog lineage`: where a credential came from, what it did, and what was issued with it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from functools import partial
from typing import Any

from auditlog.cli.asking import Find, Question, add_question, time_of
from auditlog.cli.asking import run as ask
from auditlog.cli.common import at_least_one
from auditlog.events.event import FullEvent, Sighting
from auditlog.events.loki import filters
from auditlog.events.questions import Answer
from auditlog.events.story.credential import is_uuid, written_id
from auditlog.events.story.lineage import lineage, lineage_need, lineage_wants


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "lineage",
        help="show where a token or certificate came from, what it did, and what it issued",
        description="Show who issued a credential, with which other one, and so on; all that was done with it; and "
        "what was issued with it.",
    )
    parser.add_argument(
        "subject", metavar="ID", type=_subject, help="an auditID, or JTI=UUID of a token, or X509SHA256=DIGEST"
    )
    question = Question(
        "lineage",
        _lineage,
        lambda *_: lineage_need(),
        lambda arguments: filters.lineage_filter(arguments.subject),
        ("answer.entries",),
        wanted=lambda arguments: partial(lineage_wants, arguments.subject),
        event_type=FullEvent,
        prepare=_remember,
    )
    add_question(parser, question)
    parser.add_argument("--limit", type=int, default=1000, help="show this many of the latest requests (1000)")
    parser.set_defaults(run=lambda arguments: _run(question, arguments))


def _run(question: Question, arguments: argparse.Namespace) -> int:
    at_least_one("--limit", arguments.limit)
    return ask(question, arguments)


def _subject(text: str) -> str:
    if not written_id(text) and not is_uuid(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no ID; allowed: an auditID, JTI=UUID of a token, or X509SHA256=DIGEST of a certificate"
        )
    return text.strip()


def _remember(arguments: argparse.Namespace, find: Find) -> None:
    # Asked for at once, and not after the first pass: it refuses a log that can be read only once.
    find((arguments.subject,))
    arguments.find = find


def _lineage(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> Answer:
    return lineage(sightings, arguments.find, arguments.subject, time_of(arguments), arguments.limit)
