"""`who`: what people write is turned into a query, and a slip is answered with what was meant."""

from __future__ import annotations

import argparse
import difflib
import fnmatch
from collections.abc import Iterator

from auditlog.cli.common import UsageError, at_least_one
from auditlog.cli.resource_names import about_resource, resource_meant
from auditlog.events.coverage import TimeRange
from auditlog.events.evidence import Evidence
from auditlog.events.layout import safe
from auditlog.events.questions import WhoAnswer, WhoQuery
from auditlog.policy.phrase import PhraseError, VerbMeaning, verb_meaning


def add_who(parser: argparse.ArgumentParser) -> None:
    """What `who` takes besides logs."""
    parser.add_argument(
        "--verb", default="", help="delete, deleted, exec, edit, read, ...; several with commas; * matches any text"
    )
    parser.add_argument("--name", default="", help="name of the object; * matches any text")
    parser.add_argument("--namespace", default="")
    parser.add_argument(
        "--resource", default="", help="pods (with its subresources), po, Pod, deployments.apps, pods/exec"
    )
    parser.add_argument("--user", default="", help="user name or a part of it, also of an impersonated user")
    parser.add_argument("--limit", type=int, default=1000, help="show this many of the latest matches (1000)")
    parser.add_argument(
        "--all",
        action="store_true",
        help="without a filter, also show the leases and events that the cluster itself writes",
    )


def who_query(arguments: argparse.Namespace) -> WhoQuery:
    """The query. Raises UsageError where a value cannot be meant."""
    at_least_one("--limit", arguments.limit)
    meanings = [_meaning(word) for word in arguments.verb.split(",") if word.strip()]
    return WhoQuery(
        verbs=tuple(dict.fromkeys(verb for meaning in meanings for verb in meaning.verbs)),
        name=arguments.name,
        namespace=arguments.namespace,
        resource=_with_subresource(resource_meant(arguments.resource), meanings),
        user=arguments.user,
        time=TimeRange(arguments.since, arguments.until),
        limit=arguments.limit,
        everything=arguments.all,
    )


def _meaning(word: str) -> VerbMeaning:
    if "*" in word:
        return VerbMeaning((word.strip().lower(),))
    try:
        return verb_meaning(word.strip())
    except PhraseError as problem:
        raise UsageError(f"--verb: {problem}") from problem


def _with_subresource(resource: str, meanings: list[VerbMeaning]) -> str:
    """The resource with the subresource that a word such as `exec` stands for."""
    wanted = {meaning.subresource for meaning in meanings}
    if wanted <= {""}:
        return resource
    (first, *others) = sorted(wanted)
    whole, _, own = resource.partition("/")
    if others or (own and own != first):
        given = f"--resource {resource}" if own else "other verbs"
        raise UsageError(f"--verb stands for the subresource {first or others[0]}, and not for {given}; ask for one")
    return f"{whole or '*'}/{first}"


def remarks(query: WhoQuery, answer: WhoAnswer, evidence: Evidence) -> Iterator[str]:
    """What people should know about the names they gave. Raises UsageError where one is a slip."""
    yield from _about_user(query, answer, evidence)
    yield from about_resource(f"--resource {query.resource}", query.resource, evidence)
    is_seen = "*" in query.namespace or query.namespace in evidence.namespaces
    if query.namespace and evidence.is_whole and not is_seen:
        close = difflib.get_close_matches(query.namespace, evidence.namespaces - {""}, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        yield f"no event in these logs is about the namespace {query.namespace}{hint}"


def _about_user(query: WhoQuery, answer: WhoAnswer, evidence: Evidence) -> Iterator[str]:
    nobody = "nobody is called" if evidence.is_whole else "no event that fits is of a user called"
    if len(answer.similar_users) > 1:
        names = ", ".join(f"{safe(each.user)} ({each.events})" for each in answer.similar_users)
        raise UsageError(
            f"--user {query.user}: {nobody} that; these names hold it, with their events: {names}; "
            "allowed: one of them, or * for any text"
        )
    if answer.user:
        events = answer.similar_users[0].events
        yield (
            f"{nobody} {query.user}; this is about {answer.user}, the only user whose name holds it, who has "
            f"{events} events"
        )
    elif query.user and evidence.is_whole and not any(_holds(user, query.user) for user in evidence.users):
        yield f"no event in these logs is of a user whose name holds {query.user}"


def _holds(user: str, asked: str) -> bool:
    return asked.lower() in user.lower() if "*" not in asked else fnmatch.fnmatchcase(user, asked)
