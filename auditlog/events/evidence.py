"""What a log itself says about how it was written: by which policy, with which heartbeat, on which clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from auditlog.events.coverage import ANY_TIME, SILENCE, Silence, TimeRange
from auditlog.events.event import Event, Sighting, to_request
from auditlog.events.in_force import PolicyHistory
from auditlog.policy.evaluate import compile_policy
from auditlog.policy.model import Decision, Level, Policy, Request, Stage
from auditlog.policy.resources import HEALTH_PATHS

HEARTBEAT = timedelta(seconds=10)
"""How often each API server renews its own lease (`cmd/kube-apiserver`, feature APIServerIdentity, on since 1.26)."""

MISSED = 3 * HEARTBEAT
"""If a log has renewals, and none for longer than this, a part of it is missing. Shorter pauses may be delays."""

FEWEST_BEATS = 3
"""Renewals or probes that a node's log must have at least to show that they are recorded all the time."""

_KEPT_NAMES = 10_000
_API_SERVER = "system:apiserver"
_BEATS = (
    Request(
        _API_SERVER,
        ("system:masters", "system:authenticated"),
        "update",
        api_group="coordination.k8s.io",
        api_version="v1",
        resource="leases",
        namespace="kube-system",
        name="apiserver-\0",
    ),
    *(
        Request("system:anonymous", ("system:unauthenticated",), "get", resource_request=False, path=path)
        for path in ("/livez", "/readyz")
    ),
)


def is_heartbeat(event: Event) -> bool:
    """Whether a node sends such requests to its own API server all the time: lease renewals, or kubelet's probes."""
    if event.object_ref is None:
        return event.user.username == "system:anonymous" and event.request_uri.startswith(HEALTH_PATHS)
    return is_renewal(event)


def is_renewal(event: Event) -> bool:
    """Whether an API server renews its own lease."""
    reference = event.object_ref
    return (
        reference is not None
        and reference.resource == "leases"
        and reference.namespace == "kube-system"
        and event.user.username == _API_SERVER
        and event.verb == "update"
    )


def records_heartbeat(policy: Policy) -> bool:
    """Whether a policy records a request that every node sends to its own API server all the time."""
    decide = compile_policy(policy)
    return any(_is_written(decide(beat)) for beat in _BEATS)


def _is_written(decision: Decision) -> bool:
    always = {Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE}
    return decision.level is not Level.NONE and not always <= decision.omit_stages


@dataclass(slots=True)
class Evidence:
    """Notes the events that pass by within a range of time."""

    policy: Policy | None = None
    """The policy that was named as the one in force; None if none was named."""
    time: TimeRange = ANY_TIME
    is_whole: bool = True
    """Whether every event passes by. A store leaves out events that the question cannot want."""
    history: PolicyHistory | None = None
    """Which policies were in force when. It takes precedence over `policy`."""
    disagreeing: int = 0
    """Events that this policy would not have written, or not like this."""
    verbs: set[str] = field(default_factory=set)
    """The verbs of all requests."""
    users: set[str] = field(default_factory=set)
    """The names of all users, impersonated ones too."""
    resources: set[str] = field(default_factory=set)
    """The plurals of all resources."""
    namespaces: set[str] = field(default_factory=set)
    """The namespaces of all requests."""
    beats: Counter[str] = field(default_factory=Counter)
    """Heartbeats by node."""
    steps_back: dict[str, timedelta] = field(default_factory=dict)
    """By how much the times of a node's log go backwards, if that is more than jitter."""
    without_renewal: dict[str, Silence] = field(default_factory=dict)
    """By node, the longest time between two renewals of its API server's lease, if that is more than MISSED."""
    before: dict[str, datetime] = field(default_factory=dict)
    """The last time before the range at which a node wrote: its log reaches over the beginning."""
    after: dict[str, datetime] = field(default_factory=dict)
    """The first time after the range at which a node wrote: its log reaches over the end."""
    _latest: dict[str, datetime] = field(default_factory=dict)
    _earliest: dict[str, datetime] = field(default_factory=dict)
    _noted: set[tuple[str, str, str, str | None, str]] = field(default_factory=set)
    _renewed: dict[str, datetime] = field(default_factory=dict)
    _first_renewed: dict[str, datetime] = field(default_factory=dict)
    _by_policy: dict[Policy, _Writer] = field(default_factory=dict)

    @property
    def nodes(self) -> frozenset[str]:
        """The nodes whose logs have events, at any time."""
        return frozenset(self._latest)

    def has_none_of(self, verbs: Iterable[str]) -> bool:
        """Whether there are requests, and none with one of these verbs. False if not every event passed by."""
        return self.is_whole and bool(self.verbs) and self.verbs.isdisjoint(verbs)

    def over(self, sightings: Iterable[Sighting]) -> Iterator[Sighting]:
        """The same sightings, each after it is noted."""
        named = self._writers([self.policy] if self.policy else [])
        of_hours: dict[str, _Hour] = {}
        time, is_open, latest = self.time, self.time.is_open, self._latest
        for sighting in sightings:
            node, event = sighting.node, sighting.event
            moment = event.stage_timestamp
            last = latest.get(node)
            if is_open and last is not None and moment > last:
                # What nearly every event does, without a call.
                latest[node] = moment
            else:
                self._clock(node, moment)
            if is_open or time.overlaps(event.request_received_timestamp, moment):
                if self.history is None:
                    writers = named
                else:
                    hour = of_hours.get(node)
                    if hour is None or not hour.start <= event.request_received_timestamp < hour.end:
                        hour = of_hours[node] = self._hour(node, event.request_received_timestamp)
                    writers = hour.writers
                self._note(node, event, writers)
            yield sighting

    def of_next_part(self) -> Evidence:
        """An empty one for a part of the log. It shares what was decided so far, which is the same for every part."""
        return Evidence(self.policy, self.time, self.is_whole, self.history, _by_policy=self._by_policy)

    def found(self) -> Evidence:
        """What was found, without what it was found by: to pass between processes, and to be merged."""
        return replace(self, policy=None, history=None, _noted=set(), _by_policy={})

    def merge(self, later: Evidence) -> None:
        """Adds what was found in the events that follow, as if they had passed here."""
        self.disagreeing += later.disagreeing
        self.verbs |= later.verbs
        for names, more in (
            (self.users, later.users),
            (self.resources, later.resources),
            (self.namespaces, later.namespaces),
        ):
            for name in more:
                _keep(names, name)
        self.beats.update(later.beats)
        for node, moment in later.before.items():
            self.before[node] = max(moment, self.before.get(node, moment))
        for node, moment in later.after.items():
            self.after[node] = min(moment, self.after.get(node, moment))
        for node, latest in later._latest.items():
            self._merge_clock(node, latest, later)
        for node, renewed in later._renewed.items():
            self._renewal(node, later._first_renewed[node])
            if node in later.without_renewal:
                self._without_renewal(node, later.without_renewal[node])
            self._renewed[node] = renewed

    def _merge_clock(self, node: str, latest: datetime, later: Evidence) -> None:
        earliest, before = later._earliest[node], self._latest.get(node)
        if before is not None:
            self._step_back(node, before - earliest)
        self._step_back(node, later.steps_back.get(node, timedelta()))
        self._earliest[node] = min(earliest, self._earliest.get(node, earliest))
        self._latest[node] = max(latest, before or latest)

    def _hour(self, node: str, moment: datetime) -> _Hour:
        """The policies that may have written the events around this moment, and from when to when."""
        period = self.history.period_at(node, moment) if self.history else None
        if period is None:
            return _Hour(_FIRST, _LAST, ())
        return _Hour(period.start or _FIRST, period.end or _LAST, self._writers(period.policies))

    def _writers(self, policies: Iterable[Policy]) -> tuple[_Writer, ...]:
        for policy in policies:
            if policy not in self._by_policy:
                self._by_policy[policy] = _Writer(policy)
        return tuple(self._by_policy[policy] for policy in policies)

    def _clock(self, node: str, moment: datetime) -> None:
        if self.time.since is not None and moment < self.time.since:
            self.before[node] = max(moment, self.before.get(node, moment))
        if self.time.until is not None and moment > self.time.until:
            self.after[node] = min(moment, self.after.get(node, moment))
        latest = self._latest.setdefault(node, moment)
        self._earliest[node] = min(moment, self._earliest.get(node, moment))
        if moment > latest:
            self._latest[node] = moment
        else:
            self._step_back(node, latest - moment)

    def _step_back(self, node: str, step: timedelta) -> None:
        if step > self.steps_back.get(node, SILENCE):
            self.steps_back[node] = step

    def _renewal(self, node: str, moment: datetime) -> None:
        self._first_renewed.setdefault(node, moment)
        self._without_renewal(node, Silence(self._renewed.get(node, moment), moment))
        self._renewed[node] = moment

    def _without_renewal(self, node: str, silence: Silence) -> None:
        longest = self.without_renewal.get(node)
        if silence.length > (longest.length if longest else MISSED):
            self.without_renewal[node] = silence

    def _note(self, node: str, event: Event, writers: tuple[_Writer, ...]) -> None:
        reference, other = event.object_ref, event.impersonated_user
        username = event.user.username
        names = (
            event.verb,
            username,
            "" if other is None else other.username,
            None if reference is None else reference.resource,
            "" if reference is None else reference.namespace,
        )
        if names not in self._noted:
            self._note_names(event, names)
        if username in _BEATING and is_heartbeat(event):
            self.beats[node] += 1
            if is_renewal(event):
                self._renewal(node, event.stage_timestamp)
        if writers and not any(writer.writes(event) for writer in writers):
            self.disagreeing += 1

    def _note_names(self, event: Event, names: tuple[str, str, str, str | None, str]) -> None:
        if len(self._noted) < _REMEMBERED_COMBINATIONS:
            self._noted.add(names)
        verb, user, other, resource, namespace = names
        self.verbs.add(verb)
        _keep(self.users, user)
        if event.impersonated_user is not None:
            _keep(self.users, other)
        if resource is not None:
            _keep(self.resources, resource)
            _keep(self.namespaces, namespace)


@dataclass(frozen=True, slots=True)
class _Hour:
    """A time of one node in which the same policies may have written its events."""

    start: datetime
    end: datetime
    writers: tuple[_Writer, ...]


_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_REMEMBERED_COMBINATIONS = 50_000
_BEATING = frozenset({_API_SERVER, "system:anonymous"})
"""Who sends heartbeats."""


class _Writer:
    """Decides whether a policy writes events as they are, once for each combination of the fields that matter.

    An object's name matters only if the policy names it. A creation's name and a new Namespace's namespace depend on
    the URL too (`to_request`). Where they may matter, the policy is asked for each event.
    """

    def __init__(self, policy: Policy) -> None:
        self._decide = compile_policy(policy)
        self._named = frozenset(
            name for rule in policy.rules for entry in rule.resources for name in entry.resource_names
        )
        self._known: dict[tuple[object, ...], bool] = {}

    def writes(self, event: Event) -> bool:
        reference, user = event.object_ref, event.user
        if reference is None:
            key: tuple[object, ...] = (
                event.level,
                event.stage,
                event.verb,
                user.username,
                user.groups,
                event.request_uri,
            )
        else:
            name = reference.name if reference.name in self._named else ""
            if event.verb == "create" and (name or reference.resource == "namespaces"):
                return self._written(event)
            key = (
                event.level,
                event.stage,
                event.verb,
                user.username,
                user.groups,
                reference.api_group,
                reference.resource,
                reference.subresource,
                reference.namespace,
                name,
            )
        known = self._known.get(key)
        if known is None:
            known = self._written(event)
            if len(self._known) < _REMEMBERED_COMBINATIONS:
                self._known[key] = known
        return known

    def _written(self, event: Event) -> bool:
        decision = self._decide(to_request(event))
        return event.level == decision.level and event.stage not in decision.omit_stages


def _keep(names: set[str], name: str) -> None:
    if len(names) < _KEPT_NAMES:
        names.add(name)
