"""`who`: what people write is turned into a query, and a slip is answered with what was meant."""

from __future__ import annotations

import argparse
import difflib
import fnmatch
from collections.abc import Iterator

from auditlog.cli.common import UsageError
from auditlog.events.coverage import TimeRange
from auditlog.events.evidence import Evidence
from auditlog.events.layout import safe
from auditlog.events.questions import WhoAnswer, WhoQuery
from auditlog.policy.model import NEWEST_MINOR
from auditlog.policy.phrase import PhraseError, VerbMeaning, verb_meaning
from auditlog.policy.resources import builtin_groups, closest_resource, find_resource_of_any_version


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
    if arguments.limit < 1:
        raise UsageError(f"--limit is {arguments.limit}; 1 or more is needed")
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


def resource_meant(word: str) -> str:
    """The plural that the API server writes for `po`, `Pod`, `deploy.apps` or `Pod/exec`; else the word itself."""
    if "*" in word:
        return word
    whole, slash, subresource = word.lower().partition("/")
    name, dot, group = whole.partition(".")
    found = find_resource_of_any_version(name, group if dot else None)
    return f"{found.resource if found else name}{dot}{group}{slash}{subresource}"


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


def custom_resource(query: WhoQuery) -> str:
    """The plural that is asked for where it is not built in; "" for any other."""
    name = query.resource.partition("/")[0].partition(".")[0]
    return "" if "*" in query.resource or find_resource_of_any_version(name) else name


def remarks(query: WhoQuery, answer: WhoAnswer, evidence: Evidence) -> Iterator[str]:
    """What people should know about the names they gave. Raises UsageError where one is a slip."""
    yield from _about_user(query, answer, evidence)
    yield from _about_resource(query, evidence)
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


def _about_resource(query: WhoQuery, evidence: Evidence) -> Iterator[str]:
    name, group = custom_resource(query), query.resource.partition("/")[0].partition(".")[2]
    if not name or name in evidence.resources:
        return
    close = closest_resource(name, NEWEST_MINOR, evidence.resources)
    if close and (not group or group in builtin_groups(NEWEST_MINOR)):
        builtin = find_resource_of_any_version(close)
        raise UsageError(
            f"--resource {name}: no such resource is built in or in these logs; did you mean "
            f"{builtin.resource if builtin and close not in evidence.resources else safe(close)}?"
        )
    yield f"no event in these logs is about the resource {name}, which is not built in"
