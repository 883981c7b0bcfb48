"""Who did it: the requests with a verb, an object, a user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

from auditlog.events.coverage import ANY_TIME, CoverageWatch, TimeRange
from auditlog.events.event import Event, Sighting, resource_name
from auditlog.events.outcome import Cause, Doubt
from auditlog.events.questions.common import Answer, Latest, Occurrence, one_per_request, within
from auditlog.events.questions.pattern import any_pattern, pattern

_SIMILAR_USERS = 10
"""The most users that are named if a part of a name matches several."""

_KNOWN_USERS = 10_000

_REVIEWS = frozenset({"authentication.k8s.io", "authorization.k8s.io"})
"""API groups whose objects are questions and have no name."""


@dataclass(frozen=True, slots=True)
class WhoQuery:
    """Which requests are asked for. An empty field matches any. `*` in a value matches any text."""

    verbs: tuple[str, ...] = ()
    """API verbs. The request must have one of them."""
    name: str = ""
    """The object's name."""
    namespace: str = ""
    """The object's namespace."""
    resource: str = ""
    """`pods` (with its subresources), `deployments.apps` or `pods/exec`."""
    user: str = ""
    """The user, or an impersonated one. If no user has this name, it means the only user whose name contains it."""
    time: TimeRange = ANY_TIME
    """When the request was in progress."""
    limit: int = 1000
    """How many of the latest matches are kept."""
    everything: bool = False
    """Whether a query without other fields also shows the leases and events that the cluster writes all the time."""

    @property
    def is_open(self) -> bool:
        """Whether it matches every request."""
        return not (self.verbs or self.name or self.namespace or self.resource or self.user)


@dataclass(frozen=True, slots=True)
class UserCount:
    """A user, and how many events the log has of it."""

    user: str
    events: int


@dataclass(frozen=True, slots=True)
class WhoAnswer(Answer):
    """The requests, oldest first."""

    matches: tuple[Occurrence, ...]
    """The requests that were asked for."""
    possible: tuple[Occurrence, ...]
    """Requests without an object name that may have changed the object: a deletecollection, if a delete by name was
    asked for."""
    nameless_creations: int = 0
    """Creations that match except for the name: the API server chose it, and the event does not have it."""
    housekeeping: int = 0
    """Events about leases and events that are left out."""
    user: str = ""
    """The user that the answer is about, if no user has exactly the name that was asked for."""
    similar_users: tuple[UserCount, ...] = ()
    """If no user has exactly this name: the users whose names contain it. With several, the answer is empty."""

    @property
    def found(self) -> bool:
        """Whether there is a matching request, or one that may match."""
        return bool(self.matches or self.possible)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Creations that may be of the object."""
        if not self.nameless_creations:
            return ()
        count = "1 creation has" if self.nameless_creations == 1 else f"{self.nameless_creations} creations have"
        reason = f"{count} no name in the log, because the API server chose it: one of them may be of this object"
        return (Doubt(Cause.CONTENT, reason, "Ask without --name"),)


class _Fit(Enum):
    MATCH = "match"
    POSSIBLE = "possible"
    NAMELESS = "nameless"


@dataclass(slots=True)
class _Book:
    """What was found of one user."""

    matches: Latest
    possible: Latest
    nameless: int = 0


@dataclass(slots=True)
class _Users:
    """Decides which user of the query an event is about, and counts the users whose names contain the query's."""

    asked: str
    exact: int = 0
    similar: Counter[str] = field(default_factory=Counter)
    _known: dict[tuple[str, str | None], tuple[str, ...]] = field(default_factory=dict)

    def note(self, event: Event) -> None:
        """Counts an event."""
        for name in self.of(event):
            if name:
                self.similar[name] += 1
            else:
                self.exact += 1

    def of(self, event: Event) -> tuple[str, ...]:
        """The matching names: "" for exactly the query's, else a name that contains it."""
        if not self.asked:
            return ("",)
        other = event.impersonated_user
        names = (event.user.username, None if other is None else other.username)
        known = self._known.get(names)
        if known is None:
            known = self._of([name for name in names if name is not None])
            if len(self._known) < _KNOWN_USERS:
                self._known[names] = known
        return known

    def _of(self, names: list[str]) -> tuple[str, ...]:
        if any(map(pattern(self.asked), names)):
            return ("",)
        if "*" in self.asked:
            return ()
        part = self.asked.lower()
        return tuple(name for name in names if part in name.lower())

    @property
    def chosen(self) -> str | None:
        """The name to answer for; "" for exactly the query's; None if several match."""
        if self.exact or not self.similar:
            return ""
        return next(iter(self.similar)) if len(self.similar) == 1 else None


def who(sightings: Iterable[Sighting], query: WhoQuery) -> WhoAnswer:
    """Who sent the requests asked for. The latest `query.limit` are kept."""
    watch = CoverageWatch(query.time)
    users, fits = _Users(query.user), _fits(query)
    leaves_out = query.is_open and not query.everything
    housekeeping = 0
    books: dict[str, _Book] = {}

    def relevant() -> Iterator[Sighting]:
        nonlocal housekeeping
        for sighting in watch.over(sightings):
            if query.user:
                users.note(sighting.event)
            if leaves_out and is_housekeeping(sighting.event):
                housekeeping += 1
            elif fits(sighting.event) and users.of(sighting.event):
                yield sighting

    for sighting in one_per_request(relevant()):
        for name in users.of(sighting.event):
            # With a second name that only holds what was asked for, the answer is which of them is meant.
            if name and name not in books and any(books):
                continue
            book = books.setdefault(name, _Book(Latest(query.limit), Latest(query.limit)))
            match fits(sighting.event):
                case _Fit.MATCH:
                    book.matches.add(sighting)
                case _Fit.POSSIBLE:
                    book.possible.add(sighting)
                case _Fit.NAMELESS:
                    book.nameless += 1

    chosen = users.chosen
    empty = _Book(Latest(query.limit), Latest(query.limit))
    answered = empty if chosen is None else books.get(chosen, empty)
    return WhoAnswer(
        watch.result(),
        answered.matches.left_out + answered.possible.left_out,
        answered.matches.in_order(),
        answered.possible.in_order(),
        answered.nameless,
        housekeeping,
        chosen or "",
        () if chosen == "" else tuple(UserCount(*each) for each in users.similar.most_common(_SIMILAR_USERS)),
    )


def who_wants(query: WhoQuery) -> Callable[[Event], bool]:
    """Whether `who` may want an event. For a user, it counts all events of the names that may be meant."""
    if query.user:
        users = _Users(query.user)
        return within(query.time, lambda event: bool(users.of(event)))
    fits = _fits(query)
    return within(query.time, lambda event: fits(event) is not None)


def _fits(query: WhoQuery) -> Callable[[Event], _Fit | None]:
    matches = target_filter(query)
    anything = target_filter(replace(query, verbs=(), name=""))
    has_verb = any_pattern(query.verbs)
    deletes, creates = bool(query.name) and has_verb("delete"), bool(query.name) and has_verb("create")

    def fits(event: Event) -> _Fit | None:
        if has_verb(event.verb) and matches(event):
            return _Fit.MATCH
        if deletes and event.verb == "deletecollection" and anything(event):
            return _Fit.POSSIBLE
        if creates and event.verb == "create" and has_no_name(event) and anything(event):
            return _Fit.NAMELESS
        return None

    return fits


def has_no_name(event: Event) -> bool:
    """Whether the API server chose the name of the created object, so that the event does not have it."""
    reference = event.object_ref
    return (
        reference is not None
        and not reference.name
        and not reference.subresource
        and reference.api_group not in _REVIEWS
        and event.code < 400
    )


def is_housekeeping(event: Event) -> bool:
    """Whether it is one of the leases and events that the cluster writes all the time."""
    reference = event.object_ref
    return (
        reference is not None
        and reference.resource in ("leases", "events")
        and event.user.username.startswith("system:")
        and event.verb not in ("delete", "deletecollection")
    )


def target_filter(query: WhoQuery) -> Callable[[Event], bool]:
    """A test for requests about the object or objects that the query names."""
    name, namespace, resource = pattern(query.name), pattern(query.namespace), pattern(query.resource)
    for_resources = bool(query.name or query.namespace or query.resource)

    def fits(event: Event) -> bool:
        reference = event.object_ref
        if reference is None:
            return not for_resources
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
