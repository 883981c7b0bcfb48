"""The timeline of an object or a caller: one entry for each request or run of similar ones."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from auditlog.events.coverage import ANY_TIME, CoverageWatch, TimeRange
from auditlog.events.event import Event, Sighting
from auditlog.events.outcome import Cause, Doubt
from auditlog.events.questions.attribution import (
    WhoQuery,
    has_no_name,
    is_housekeeping,
    target_filter,
)
from auditlog.events.questions.attribution_need import who_need
from auditlog.events.questions.common import Answer, one_per_request, within
from auditlog.events.questions.pattern import pattern
from auditlog.events.questions.secret_access import Identity, identity
from auditlog.events.story.change import Bodies
from auditlog.events.story.credential import credential_of
from auditlog.events.story.entry import Entry, alike, entry, is_refused, reads, sentence
from auditlog.events.story.family import Family, Relation, children_of
from auditlog.events.story.subject import SESSION_PAUSE_MINUTES, Kind, Subject
from auditlog.policy.recording import Need

CHANGING_VERBS = ("create", "update", "patch", "delete", "deletecollection")
_PARTS_OF_THE_CLUSTER = frozenset({Identity.NODE, Identity.CONTROL_PLANE})


@dataclass(frozen=True, slots=True)
class TimelineQuery:
    """Which requests a timeline shows."""

    subject: Subject
    time: TimeRange = ANY_TIME
    people: bool = False
    """Only requests of people, and of programs outside the cluster."""
    changes: bool = False
    """Only requests that change something, or enter a Pod."""
    denied: bool = False
    """Only requests that were refused."""
    everything: bool = False
    """Also what the cluster itself writes and reads all the time."""
    limit: int = 1000
    """How many of the latest requests are kept."""


@dataclass(frozen=True, slots=True)
class TimelineAnswer(Answer):
    """The entries, oldest first."""

    subject: str
    entries: tuple[Entry, ...]
    routine: int = 0
    """Status updates and reads by the cluster itself that are left out."""
    nameless_creations: int = 0
    """Creations that may be of the object or its children: the event lacks the name."""

    @property
    def found(self) -> bool:
        """Whether there is any entry."""
        return bool(self.entries)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What the entries leave open."""
        doubts = []
        if self.nameless_creations:
            count = self.nameless_creations
            reason = (
                "1 creation has no name in the log, because the API server chose it: it may belong to this story"
                if count == 1
                else f"{count} creations have no name in the log, because the API server chose it: some may belong to "
                "this story"
            )
            doubts.append(Doubt(Cause.CONTENT, reason, "A policy at RequestResponse for creations records the name"))
        if self.left_out:
            doubts.append(Doubt(Cause.CONTENT, f"{self.left_out} earlier requests are not shown", "--limit shows more"))
        return tuple(doubts)


@dataclass(slots=True)
class Story:
    """Decides which events belong to a timeline. It learns children by their owners while events pass by."""

    query: TimelineQuery
    routine: int = 0
    nameless: int = 0
    relation: Callable[[Event], Relation] = field(init=False)
    """How an event's object is related to the subject."""
    _may_belong: Callable[[Event], bool] = field(init=False)

    def __post_init__(self) -> None:
        subject = self.query.subject
        if subject.kind is Kind.OBJECT:
            self.relation, self._may_belong = _of_object(subject)
        else:
            self.relation, self._may_belong = _of_caller(subject), lambda _: False

    def tells(self, event: Event) -> bool:
        """Whether an event belongs to the story. Events left out as routine are counted."""
        query = self.query
        if not _is_asked_for(query, event):
            return False
        if self.relation(event) is Relation.NONE:
            self.nameless += self._may_belong(event)
            return False
        if not query.everything and self._is_routine(event):
            self.routine += 1
            return False
        return True

    def _is_routine(self, event: Event) -> bool:
        if self.query.subject.kind is not Kind.OBJECT:
            return is_housekeeping(event)
        subresource = event.object_ref.subresource if event.object_ref else ""
        user = event.user.username
        by_cluster = identity(user) in _PARTS_OF_THE_CLUSTER or user.startswith("system:serviceaccount:kube-system:")
        return subresource == "status" or (by_cluster and reads(event))


def timeline_wants(query: TimelineQuery) -> Callable[[Event], bool]:
    """Whether a timeline may want an event: of an object, everything about it and about what may be its children."""
    subject = query.subject
    if subject.kind is not Kind.OBJECT:
        relation = _of_caller(subject)
        return within(query.time, lambda event: _is_asked_for(query, event) and relation(event) is not Relation.NONE)
    fits = target_filter(WhoQuery(namespace=subject.namespace, resource=subject.resource))
    children = _children(subject)

    def wants(event: Event) -> bool:
        reference = event.object_ref
        if reference is None or not (fits(event) or reference.resource in children):
            return False
        return _is_asked_for(query, event)

    return within(query.time, wants)


def _is_asked_for(query: TimelineQuery, event: Event) -> bool:
    """Whether the options ask for such requests, whatever they are about."""
    if query.people and identity(event.user.username) is not Identity.HUMAN:
        return False
    return not ((query.changes and reads(event)) or (query.denied and not is_refused(event)))


def timeline(sightings: Iterable[Sighting], query: TimelineQuery) -> TimelineAnswer:
    """Everything that the log shows about the subject. Each request appears once, by its last event."""
    watch = CoverageWatch(query.time)
    story = Story(query)
    kept: list[tuple[datetime, int, Sighting]] = []
    left_out = 0
    relevant = (sighting for sighting in watch.over(sightings) if story.tells(sighting.event))
    for number, sighting in enumerate(one_per_request(relevant)):
        heapq.heappush(kept, (sighting.event.request_received_timestamp, number, sighting))
        if len(kept) > query.limit:
            heapq.heappop(kept)
            left_out += 1
    in_order = [sighting for _, _, sighting in sorted(kept, key=lambda each: each[:2])]
    if query.subject.anchor:
        in_order = _around(in_order, query.subject.anchor)
    bodies = Bodies()
    entries = [entry(each, bodies.change(each.event), story.relation(each.event)) for each in in_order]
    told = tuple(replace(each, sentence=sentence(each)) for each in joined(entries))
    return TimelineAnswer(watch.result(), left_out, str(query.subject), told, story.routine, story.nameless)


def joined(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries, with each run of similar requests as one entry."""
    last: Entry | None = None
    for each in entries:
        if last is not None and alike(last, each):
            last = replace(last, count=last.count + 1, last=each.last)
            continue
        if last is not None:
            yield last
        last = each
    if last is not None:
        yield last


def timeline_need(query: TimelineQuery) -> Need:
    """The requests that a timeline looks for, in the terms of a policy."""
    subject, verbs = query.subject, CHANGING_VERBS if query.changes else ()
    if subject.kind is Kind.OBJECT:
        need = who_need(WhoQuery(verbs, subject.name, subject.namespace, subject.resource))
        for child in children_of(_plural(subject)) if subject.children else ():
            more = who_need(WhoQuery(verbs, "", subject.namespace, child))
            need = replace(need, rules=(*need.rules, *more.rules), advice=(*need.advice, *more.advice))
    else:
        user = {Kind.USER: subject.name, Kind.SESSION: subject.user}.get(subject.kind, "")
        need = who_need(WhoQuery(verbs, user=user))
    return replace(need, what="requests of this story")


def _plural(subject: Subject) -> str:
    return subject.resource.partition("/")[0].partition(".")[0]


def _children(subject: Subject) -> frozenset[str]:
    """The plurals of what may belong to an object."""
    return frozenset(children_of(_plural(subject))) if subject.children and "*" not in subject.name else frozenset()


def _of_object(subject: Subject) -> tuple[Callable[[Event], Relation], Callable[[Event], bool]]:
    query = WhoQuery(name=subject.name, namespace=subject.namespace, resource=subject.resource)
    fits, anything = target_filter(query), target_filter(replace(query, name=""))
    family = Family(_plural(subject), subject.name, subject.namespace)
    children = _children(subject)

    def is_child(event: Event) -> bool:
        return event.object_ref is not None and event.object_ref.resource in children

    def relation(event: Event) -> Relation:
        if fits(event):
            return Relation.ITSELF
        if event.verb == "deletecollection" and anything(event):
            return Relation.PERHAPS
        return family.relation(event) if is_child(event) else Relation.NONE

    def may_belong(event: Event) -> bool:
        """Whether it creates an object whose name is in no part of the event."""
        if event.verb != "create" or event.stage == "RequestReceived" or not has_no_name(event):
            return False
        if len(event.response_object):
            return False
        in_place = event.object_ref is not None and event.object_ref.namespace == subject.namespace
        return (is_child(event) and in_place) or anything(event)

    return relation, may_belong


def _of_caller(subject: Subject) -> Callable[[Event], Relation]:
    name = pattern(subject.name)

    def is_user(event: Event) -> bool:
        return name(event.user.username) or (
            event.impersonated_user is not None and name(event.impersonated_user.username)
        )

    def is_in_session(event: Event) -> bool:
        return (
            credential_of(event) == subject.credential
            and (not subject.user or event.user.username == subject.user)
            and (not subject.address or subject.address in event.source_ips)
            and (not subject.user_agent or event.user_agent == subject.user_agent)
        )

    tests: dict[Kind, Callable[[Event], bool]] = {
        Kind.USER: is_user,
        Kind.ADDRESS: lambda event: any(map(name, event.source_ips)),
        Kind.SESSION: is_in_session,
    }
    test = tests[subject.kind]
    return lambda event: Relation.ITSELF if test(event) else Relation.NONE


def _around(in_order: Sequence[Sighting], anchor: str) -> list[Sighting]:
    """The session with the request: what is around it without a long pause."""
    pause = timedelta(minutes=SESSION_PAUSE_MINUTES)
    session: list[Sighting] = []
    has_anchor = False
    for each in in_order:
        moment = each.event.request_received_timestamp
        if session and moment - session[-1].event.request_received_timestamp > pause:
            if has_anchor:
                break
            session = []
        session.append(each)
        has_anchor = has_anchor or each.event.audit_id == anchor
    return session
