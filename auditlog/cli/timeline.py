"""`auditlog timeline`: the story of an object, or of somebody who sends requests."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from auditlog.cli.asking import Find, Question, add_question, time_of
from auditlog.cli.asking import run as ask
from auditlog.cli.common import UsageError, at_least_one
from auditlog.cli.follow import follow
from auditlog.cli.resource_names import about_resource, custom_resource, resource_meant
from auditlog.events.event import FullEvent, Sighting
from auditlog.events.evidence import Evidence
from auditlog.events.layout import safe
from auditlog.events.loki import filters
from auditlog.events.questions import Answer
from auditlog.events.story.credential import credential_of, is_uuid, written_id
from auditlog.events.story.subject import Kind, Subject
from auditlog.events.story.timeline import TimelineQuery, timeline, timeline_need, timeline_wants
from auditlog.policy.resources import find_resource_of_any_version

SUBJECT_HELP = (
    "deploy/web (with -n), user:NAME, account:NAMESPACE/NAME, address:IP, or session:ID with an auditID or the ID of a "
    "credential; * in a name matches any text"
)
_MOST_HINTS = 5


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "timeline",
        help="show the story of an object, a user, a service account, an address or a session",
        description="Show what happened to an object, or what somebody did, one sentence a line.",
    )
    parser.add_argument("subject", metavar="SUBJECT", type=_subject, help=SUBJECT_HELP)
    question = Question(
        "timeline",
        _timeline,
        lambda arguments, _: timeline_need(_query(arguments)),
        lambda arguments: filters.timeline_filter(arguments.subject),
        ("answer.entries",),
        remarks=_remarks,
        custom_resource=lambda arguments: custom_resource(arguments.subject.resource),
        wanted=lambda arguments: partial(timeline_wants, _query(arguments)),
        event_type=FullEvent,
        prepare=_resolve,
    )
    add_question(parser, question)
    parser.add_argument("-n", "--namespace", default="", help="the object's namespace")
    parser.add_argument("--people", action="store_true", help="only what people and outside programs did")
    parser.add_argument("--changes", action="store_true", help="only what changes something or enters a Pod")
    parser.add_argument("--denied", action="store_true", help="only what was refused")
    parser.add_argument("--only", action="store_true", help="the object alone, without its ReplicaSets, Jobs and Pods")
    parser.add_argument(
        "--all", action="store_true", help="also status updates, and what the cluster itself reads and renews"
    )
    parser.add_argument("--limit", type=int, default=1000, help="show this many of the latest requests (1000)")
    parser.add_argument(
        "--follow", action="store_true", help="go on with what happens from now on, of a log file or Loki; Ctrl-C ends"
    )
    parser.set_defaults(run=lambda arguments: _run(question, arguments))


def _run(question: Question, arguments: argparse.Namespace) -> int:
    at_least_one("--limit", arguments.limit)
    arguments.subject = _placed(arguments)
    return follow(_query, _resolve, arguments) if arguments.follow else ask(question, arguments)


def _subject(text: str) -> Subject:
    """For argparse. An object's namespace comes from its own option."""
    word, colon, value = text.partition(":")
    kinds = ("user", "account", "address", "session")
    if colon and word in kinds:
        if not value:
            raise argparse.ArgumentTypeError(f"{text!r} names nobody; allowed: {SUBJECT_HELP}")
        return _caller(word, value.strip())
    resource, slash, name = text.partition("/")
    if not (resource and slash and name) or "/" in name:
        raise argparse.ArgumentTypeError(f"{text!r} is no subject; allowed: {SUBJECT_HELP}")
    return Subject(Kind.OBJECT, name, resource_meant(resource))


def _caller(word: str, value: str) -> Subject:
    if word == "address":
        return Subject(Kind.ADDRESS, value)
    if word == "user":
        return Subject(Kind.USER, value)
    if word == "account":
        namespace, slash, name = value.partition("/")
        if not (namespace and slash and name) or "/" in name:
            raise argparse.ArgumentTypeError(f"account:{value} is no service account; allowed: account:NAMESPACE/NAME")
        return Subject(Kind.USER, f"system:serviceaccount:{namespace}:{name}")
    if not written_id(value) and not is_uuid(value):
        raise argparse.ArgumentTypeError(
            f"session:{value} is no ID; allowed: an auditID, JTI=UUID of a token, or X509SHA256=DIGEST of a certificate"
        )
    return Subject(Kind.SESSION, anchor=value, credential=written_id(value))


def _placed(arguments: argparse.Namespace) -> Subject:
    """The object in its namespace. Raises UsageError where it has none, or needs one."""
    subject: Subject = arguments.subject
    if subject.kind is not Kind.OBJECT:
        if arguments.namespace:
            raise UsageError(f"--namespace {arguments.namespace} is for objects, and not for {subject}")
        return subject
    plural, _, group = subject.resource.partition(".")
    known = find_resource_of_any_version(plural, group or None)
    if known is not None and known.namespaced and not arguments.namespace:
        raise UsageError(f"{subject.resource}/{subject.name} is in a namespace; name it with -n, or -n '*' for any")
    if known is not None and not known.namespaced and arguments.namespace:
        raise UsageError(f"--namespace {arguments.namespace}: {subject.resource} are in no namespace")
    return replace(subject, namespace=arguments.namespace, children=not arguments.only)


def _query(arguments: argparse.Namespace) -> TimelineQuery:
    return TimelineQuery(
        arguments.subject,
        time_of(arguments),
        people=arguments.people,
        changes=arguments.changes,
        denied=arguments.denied,
        everything=arguments.all,
        limit=arguments.limit,
    )


def _timeline(arguments: argparse.Namespace, sightings: Iterable[Sighting]) -> Answer:
    return timeline(sightings, _query(arguments))


def _resolve(arguments: argparse.Namespace, find: Find) -> None:
    """Of a session that is named by one of its requests: whose it is, with which credential, from where."""
    subject: Subject = arguments.subject
    if subject.kind is not Kind.SESSION:
        return
    if subject.credential:
        arguments.subject = replace(subject, anchor="")
        return
    written = subject.anchor.lower()
    for sighting in find((subject.anchor,)):
        event = sighting.event
        if event.audit_id == subject.anchor:
            arguments.subject = replace(
                subject,
                credential=credential_of(event),
                user=event.user.username,
                address=event.source_ips[0] if event.source_ips else "",
                user_agent=event.user_agent,
            )
            return
        if credential_of(event).lower().endswith(f"={written}"):
            arguments.subject = replace(subject, credential=credential_of(event), anchor="")
            return
    raise UsageError(f"session:{subject.anchor}: no request in this log has this auditID, and no credential this ID")


def _remarks(arguments: argparse.Namespace, answer: Answer, evidence: Evidence) -> Iterator[str]:
    subject: Subject = arguments.subject
    if subject.kind is Kind.OBJECT:
        yield from about_resource(f"{subject.resource}/{subject.name}", subject.resource, evidence)
    if answer.found or not evidence.is_whole or subject.kind is not Kind.USER or "*" in subject.name:
        return
    close = sorted(user for user in evidence.users if subject.name.lower() in user.lower() and user != subject.name)
    if close:
        more = f", and {len(close) - _MOST_HINTS} more" if len(close) > _MOST_HINTS else ""
        yield f"nobody is called {subject.name}; these names hold it: {', '.join(map(safe, close[:_MOST_HINTS]))}{more}"
    elif subject.name not in evidence.users:
        yield f"no event in these logs is of a user whose name holds {subject.name}"
