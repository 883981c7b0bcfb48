"""Whether a detection counts an event that lies in a file: its LogQL, evaluated here.

Only the few forms that detections use are known, and anything else is an error: a new form is never passed over
in silence. A test compares the outcome with real Loki's on every example of every detection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from auditlog.detections.annotated import counts
from auditlog.detections.callers import logql_filters
from auditlog.detections.model import NO_DRY_RUN, Events, Requests
from auditlog.events.event import Event, ObjectReference
from auditlog.policy.model import GroupResources

Fields = Mapping[str, str]
"""An event's fields by the names that Loki has for them; a field that an event does not have is "" ."""

_FILTER = re.compile(r'(?P<field>\w+)(?P<operator>=~|!~|!=|=)"(?P<value>.*)"', re.DOTALL)
_LINE = re.compile(r"(?P<operator>\|=|!=|\|~|!~) `(?P<value>[^`]*)`", re.DOTALL)
_NO_OBJECT = ObjectReference()
_IMPERSONATED = 'json impersonated="impersonatedUser.username"'


@dataclass(frozen=True, slots=True)
class Matcher:
    """Whether a detection counts an event.

    ``asks`` looks at the stage, the answer and what is asked for alone (`combination`), ``passes`` at the rest.
    """

    asks: Callable[[Event], bool]
    passes: Callable[[Event, Fields, str], bool]


def matcher(events: Events, ignored_users: Collection[str] = ()) -> Matcher:
    """What counts the events of a detection by their bodies, or by the annotation that stands for them.

    Raises:
        ValueError: the detection has a filter of an unknown form.
    """
    filters = [_filter(each) for each in (*logql_filters(events.callers), *events.fields) if each != _IMPERSONATED]
    lines = [(each == NO_DRY_RUN, _line_filter(each)) for each in events.lines]
    stages = frozenset(stage.value for stage in events.stages)
    codes = re.compile(events.codes) if events.codes else None
    annotated = events.annotated

    def asks(event: Event) -> bool:
        if event.stage not in stages or (codes and not codes.fullmatch(str(event.code))):
            return False
        return events.open or any(_is_asked(each, event) for each in events.requests)

    def passes(event: Event, fields: Fields, line: str) -> bool:
        if event.user.username in ignored_users or not all(each(fields) for each in filters):
            return False
        if all(each(line) for _, each in lines):
            return True
        # An annotation says what the body would have, so only what is no matter of bodies is asked of the line.
        return (
            annotated is not None
            and counts(annotated, event.annotations)
            and all(each(line) for is_of_annotations, each in lines if is_of_annotations)
        )

    return Matcher(asks, passes)


def combination(event: Event, names: Collection[str]) -> tuple[object, ...]:
    """By what `Matcher.asks` decides: two events with the same are asked for alike. ``names`` are the objects' that
    detections look for by name."""
    reference = event.object_ref
    if reference is None:
        return event.stage, event.code, event.verb
    name = reference.name if reference.name in names else ""
    place = (reference.api_group, reference.resource, reference.subresource, reference.namespace)
    return event.stage, event.code, event.verb, *place, name


def fields_of(event: Event) -> Fields:
    """An event's fields as the Alloy configuration names them, and whom it impersonates."""
    reference = event.object_ref
    return {
        "verb": event.verb,
        "user": event.user.username,
        "groups": _as_json(event.user.groups) if event.user.groups else "",
        "sourceIP": event.source_ips[0] if event.source_ips else "",
        "apiGroup": reference.api_group if reference else "",
        "resource": reference.resource if reference else "",
        "subresource": reference.subresource if reference else "",
        "namespace": reference.namespace if reference else "",
        "name": reference.name if reference else "",
        "code": str(event.code) if event.code else "",
        "level": event.level,
        "stage": event.stage,
        "auditID": event.audit_id,
        "userAgent": event.user_agent,
        "impersonated": event.impersonated_user.username if event.impersonated_user else "",
    }


@lru_cache(maxsize=4096)
def _as_json(groups: tuple[str, ...]) -> str:
    return json.dumps(groups, separators=(",", ":"))


def _is_asked(requests: Requests, event: Event) -> bool:
    reference = event.object_ref or _NO_OBJECT
    return (
        _is_one_of(event.verb, requests.verbs)
        and _is_one_of(reference.namespace, requests.namespaces)
        and (not requests.resources or any(_is_resource(entry, reference) for entry in requests.resources))
    )


def _is_resource(entry: GroupResources, reference: ObjectReference) -> bool:
    if entry.group not in ("*", reference.api_group):
        return False
    if not entry.resources:
        return True
    for name in entry.resources:
        resource, _, subresource = name.partition("/")
        if resource in ("*", reference.resource) and subresource == reference.subresource:
            return _is_one_of(reference.name, entry.resource_names)
    return False


def _is_one_of(value: str, values: Sequence[str]) -> bool:
    return not values or "*" in values or value in values


@cache
def _filter(text: str) -> Callable[[Fields], bool]:
    """A filter on a field. Loki compares regular expressions with the whole value. Many detections share one."""
    found = _FILTER.fullmatch(text)
    if found is None:
        raise ValueError(f"the filter {text!r} of a detection has a form that cannot be evaluated here")
    field, operator = found["field"], found["operator"]
    value = found["value"].replace('\\"', '"').replace("\\\\", "\\")
    if "~" not in operator:
        return lambda fields: (fields[field] == value) == (operator == "=")
    pattern = re.compile(value)

    @lru_cache(maxsize=4096)
    def fits(text: str) -> bool:
        return (pattern.fullmatch(text) is not None) == (operator == "=~")

    return lambda fields: fits(fields[field])


def _line_filter(text: str) -> Callable[[str], bool]:
    found = _LINE.fullmatch(text)
    if found is None:
        raise ValueError(f"the line filter {text!r} of a detection has a form that cannot be evaluated here")
    value, wanted = found["value"], not found["operator"].startswith("!")
    if "=" in found["operator"]:
        return lambda line: (value in line) == wanted
    pattern = re.compile(value)
    return lambda line: (pattern.search(line) is not None) == wanted
