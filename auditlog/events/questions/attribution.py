"""Who did it: the requests with a verb, an object, a user (000_05e3394e1aae7e61.txt)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from auditlog.events.coverage import ANY_TIME, CoverageWatch, TimeRange
from auditlog.events.event import Event, Sighting, resource_name
from auditlog.events.questions.common import Answer, Latest, Occurrence, one_per_request


@dataclass(frozen=True, slots=True)
class WhoQuery:
    """Which requests are asked for; an empty field asks for any. `*` in a value stands for any text.

    A resource is `pods` (with its subresources), `deployments.apps` or `pods/exec`.
    """

    verb: str = ""
    name: str = ""
    namespace: str = ""
    resource: str = ""
    user: str = ""
    time: TimeRange = ANY_TIME
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class WhoAnswer(Answer):
    """The requests, oldest first.

    `possible` are requests without an object name that may have hit the object all the same: a deletecollection when a
    delete by name was asked for.
    """

    matches: tuple[Occurrence, ...]
    possible: tuple[Occurrence, ...]


def who(sightings: Iterable[Sighting], query: WhoQuery) -> WhoAnswer:
    """Who sent the requests asked for. The latest `query.limit` are kept."""
    watch = CoverageWatch(query.time)
    matches, possible = Latest(query.limit), Latest(query.limit)
    fits = _who_filter(query)
    collections = _who_filter(query, collections=True)
    asks_delete = bool(query.name) and _pattern(query.verb)("delete")
    for sighting in one_per_request(
        each for each in watch.over(sightings) if fits(each.event) or (asks_delete and collections(each.event))
    ):
        (matches if fits(sighting.event) else possible).add(sighting)
    return WhoAnswer(watch.result(), matches.left_out + possible.left_out, matches.in_order(), possible.in_order())


def _who_filter(query: WhoQuery, *, collections: bool = False) -> Callable[[Event], bool]:
    verb = _pattern("deletecollection" if collections else query.verb)
    name = _pattern("" if collections else query.name)
    namespace, resource, user = _pattern(query.namespace), _pattern(query.resource), _pattern(query.user)

    def fits(event: Event) -> bool:
        reference = event.object_ref
        if not verb(event.verb) or not _user_fits(event, user):
            return False
        if reference is None:
            return not (query.name or query.namespace or query.resource)
        return (
            name(reference.name)
            and namespace(reference.namespace)
            and any(
                resource(text)
                for text in (
                    resource_name(reference),
                    f"{reference.resource}/{reference.subresource}",
                    f"{reference.resource}.{reference.api_group}",
                    reference.resource,
                )
            )
        )

    return fits


def _user_fits(event: Event, user: Callable[[str], bool]) -> bool:
    return user(event.user.username) or (event.impersonated_user is not None and user(event.impersonated_user.username))


def _pattern(text: str) -> Callable[[str], bool]:
    """A test for a value with `*` for any text; an empty pattern fits everything."""
    if not text:
        return lambda _: True
    if "*" not in text:
        return text.__eq__
    expression = re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)
    return lambda value: expression.fullmatch(value) is not None
