"""Which detections would have fired, from the events of files: what Loki's ruler does, without Loki.

The line filters and label filters are those of the query itself, so that both say the same. RE2 and Python's regular
expressions agree on all that the catalogue uses (`tests/observability` asks a real Loki).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from auditlog.detections.callers import logql_filters
from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.model import Detection, Events, Requests
from auditlog.events.event import Event, Recorded, to_request
from auditlog.policy.evaluate import compile_policy
from auditlog.policy.model import Level, Policy, PolicyRule

REMEMBERED_COMBINATIONS = 50_000
MOST_GROUPS = 200
"""Alerts of one detection that are told one by one."""

_FILTER = re.compile(r'(?P<label>[A-Za-z]+)(?P<operator>=~|!~|!=|=)"(?P<value>(?:[^"\\]|\\.)*)"', re.DOTALL)
_JSON = re.compile(r'json impersonated="impersonatedUser\.username"')


@dataclass(frozen=True, slots=True)
class Fired:
    """A detection whose threshold was exceeded, for one combination of the labels that tell its alerts apart."""

    detection: str
    title: str
    severity: str
    runbook: str
    summary: str
    first: datetime
    last: datetime
    events: int


@dataclass(slots=True)
class _Group:
    """Events of one alert: how many, and those of the last window."""

    first: datetime
    last: datetime
    events: int = 0
    fired: bool = False
    recent: deque[tuple[datetime, str]] = field(default_factory=deque)


@dataclass(slots=True)
class _Watch:
    """One detection, and what was seen of it."""

    detection: Detection
    source: Events
    asks: Callable[[Event], bool]
    """By what `_combination` holds."""
    tests: tuple[Callable[[dict[str, str]], bool], ...]
    """By the labels."""
    lines: tuple[Callable[[str], bool], ...]
    groups: dict[tuple[str, ...], _Group] = field(default_factory=dict)


class Watches:
    """All detections on events; events are given in any order of nodes, each node's in the order of time."""

    def __init__(self, ignored_users: Sequence[str] = ()) -> None:
        self._ignored = frozenset(ignored_users)
        self._watches = [
            _Watch(
                each,
                each.source,
                _asks(each.source),
                tuple(map(_label_filter, _filters(each.source))),
                tuple(map(_line_filter, each.source.lines)),
            )
            for each in DETECTIONS
            if isinstance(each.source, Events)
        ]
        self._asking: dict[tuple[object, ...], tuple[_Watch, ...]] = {}

    def note(self, recorded: Recorded) -> None:
        """Notes an event for every detection that counts it."""
        event = recorded.event
        if event.user.username in self._ignored:
            return
        key = _combination(event)
        asking = self._asking.get(key)
        if asking is None:
            asking = tuple(watch for watch in self._watches if watch.asks(event))
            if len(self._asking) < REMEMBERED_COMBINATIONS:
                self._asking[key] = asking
        if not asking:
            return
        labels, text = _labels(event), None
        for watch in asking:
            if not all(test(labels) for test in watch.tests):
                continue
            if watch.lines:
                text = recorded.line.decode(errors="replace") if text is None else text
                if not all(passes(text) for passes in watch.lines):
                    continue
            _count(watch, event, labels)

    def fired(self) -> tuple[Fired, ...]:
        """What fired, gravest and latest first."""
        order = {"critical": 0, "warning": 1, "info": 2}
        found = [
            Fired(
                watch.detection.id,
                watch.detection.title,
                str(watch.detection.severity),
                watch.detection.runbook,
                _summary(watch.detection.summary, dict(zip(watch.source.by, key, strict=True))),
                group.first,
                group.last,
                group.events,
            )
            for watch in self._watches
            for key, group in watch.groups.items()
            if group.fired
        ]
        return tuple(sorted(found, key=lambda each: (order[each.severity], -each.last.timestamp())))


def _count(watch: _Watch, event: Event, labels: dict[str, str]) -> None:
    key = tuple(labels.get(name, "") for name in watch.source.by)
    moment = event.stage_timestamp
    group = watch.groups.get(key)
    if group is None:
        if len(watch.groups) >= MOST_GROUPS:
            return
        group = watch.groups[key] = _Group(moment, moment)
    group.events += 1
    group.first, group.last = min(group.first, moment), max(group.last, moment)
    if group.fired:
        return
    group.recent.append((moment, labels.get(watch.source.distinct, "")))
    while group.recent and (moment - group.recent[0][0]).total_seconds() > watch.source.window:
        group.recent.popleft()
    values = {value for _, value in group.recent} if watch.source.distinct else group.recent
    if len(values) > watch.detection.threshold:
        group.fired = True
        group.recent.clear()


def _filters(source: Events) -> tuple[str, ...]:
    return (*logql_filters(source.callers), *(each for each in source.fields if not _JSON.fullmatch(each)))


def _asks(source: Events) -> Callable[[Event], bool]:
    stages, codes = frozenset(map(str, source.stages)), re.compile(source.codes or ".*")
    decide = None if source.open else compile_policy(Policy(tuple(map(_rule, source.requests))))

    def asks(event: Event) -> bool:
        if event.stage not in stages or not codes.fullmatch(str(event.code)):
            return False
        return decide is None or decide(to_request(event)).level is not Level.NONE

    return asks


_NAMED = frozenset(
    name
    for each in DETECTIONS
    if isinstance(each.source, Events)
    for requests in each.source.requests
    for entry in requests.resources
    for name in entry.resource_names
)
"""Objects that a detection names; any other name decides nothing."""


def _combination(event: Event) -> tuple[object, ...]:
    """What decides whether a detection asks for an event: no detection's requests name users or URLs."""
    reference = event.object_ref
    if reference is None:
        return event.stage, event.code, event.verb, ""
    return (
        event.stage,
        event.code,
        event.verb,
        reference.api_group,
        reference.resource,
        reference.subresource,
        reference.namespace,
        reference.name if reference.name in _NAMED else "",
    )


def _rule(requests: Requests) -> PolicyRule:
    return PolicyRule(
        Level.METADATA, verbs=requests.verbs, resources=requests.resources, namespaces=requests.namespaces
    )


def _labels(event: Event) -> dict[str, str]:
    """The labels and structured metadata that Alloy sets, and the one field that a query takes from the line."""
    reference = event.object_ref
    labels = {
        "verb": event.verb,
        "user": event.user.username,
        "groups": ",".join(event.user.groups),
        "sourceIP": event.source_ips[0] if event.source_ips else "",
        "code": str(event.code),
        "level": event.level,
        "stage": event.stage,
        "userAgent": event.user_agent,
        "impersonated": event.impersonated_user.username if event.impersonated_user else "",
    }
    if reference is not None:
        labels |= {
            "resource": reference.resource,
            "apiGroup": reference.api_group,
            "subresource": reference.subresource,
            "namespace": reference.namespace,
            "name": reference.name,
        }
    return labels


def _label_filter(text: str) -> Callable[[dict[str, str]], bool]:
    match = _FILTER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no label filter that can be evaluated without Loki")
    label, operator, value = match["label"], match["operator"], match["value"].replace("\\\\", "\\")
    if operator in ("=", "!="):
        return lambda labels: (labels.get(label, "") == value) is (operator == "=")
    expression = re.compile(value, re.DOTALL)
    return lambda labels: (expression.fullmatch(labels.get(label, "")) is not None) is (operator == "=~")


def _line_filter(text: str) -> Callable[[str], bool]:
    operator, value = text[:2], text[4:-1]
    if operator in ("|=", "!="):
        return lambda line: (value in line) is (operator == "|=")
    expression = re.compile(value)
    return lambda line: (expression.search(line) is not None) is (operator == "|~")


def _summary(template: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda match: labels.get(match[1], ""), template)


def not_evaluated() -> Iterator[Detection]:
    """Detections that need more than the events of a log: metrics, and the absence of events."""
    return (each for each in DETECTIONS if not isinstance(each.source, Events))
