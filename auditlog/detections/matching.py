"""Whether a detection counts an event that lies in a file: its LogQL, evaluated here.

Only the few forms that detections use are known, and anything else is an error: a new form is never passed over
in silence. A test compares the outcome with real Loki's on every example of every detection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

from auditlog.detections.callers import logql_filters
from auditlog.detections.model import Events, Requests
from auditlog.events.event import Event
from auditlog.policy.model import GroupResources

Fields = Mapping[str, str]
"""An event's fields by the names that Loki has for them; a field that an event does not have is "" ."""

_FILTER = re.compile(r'(?P<field>\w+)(?P<operator>=~|!~|!=|=)"(?P<value>.*)"', re.DOTALL)
_LINE = re.compile(r"(?P<operator>\|=|!=|\|~|!~) `(?P<value>[^`]*)`", re.DOTALL)
_IMPERSONATED = 'json impersonated="impersonatedUser.username"'


def matcher(events: Events, ignored_users: Sequence[str] = ()) -> Callable[[Event, str], Fields | None]:
    """A function from an event and its line to the event's fields, or None where the detection does not count it.

    Raises:
        ValueError: the detection has a filter of an unknown form.
    """
    filters = [_filter(each) for each in (*logql_filters(events.callers), *events.fields) if each != _IMPERSONATED]
    lines = [_line_filter(each) for each in events.lines]
    stages = frozenset(stage.value for stage in events.stages)
    codes = re.compile(events.codes) if events.codes else None

    def match(event: Event, line: str) -> Fields | None:
        if event.stage not in stages or (codes and not codes.fullmatch(str(event.code))):
            return None
        if event.user.username in ignored_users:
            return None
        fields = fields_of(event)
        if not events.open and not any(_is_asked(each, fields) for each in events.requests):
            return None
        if not all(each(fields) for each in filters) or not all(each(line) for each in lines):
            return None
        return fields

    return match


def fields_of(event: Event) -> Fields:
    """An event's fields as the Alloy configuration names them, and whom it impersonates."""
    reference = event.object_ref
    return {
        "verb": event.verb,
        "user": event.user.username,
        "groups": json.dumps(list(event.user.groups), separators=(",", ":")) if event.user.groups else "",
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


def _is_asked(requests: Requests, fields: Fields) -> bool:
    return (
        _is_one_of(fields["verb"], requests.verbs)
        and _is_one_of(fields["namespace"], requests.namespaces)
        and (not requests.resources or any(_is_resource(entry, fields) for entry in requests.resources))
    )


def _is_resource(entry: GroupResources, fields: Fields) -> bool:
    if entry.group not in ("*", fields["apiGroup"]):
        return False
    if not entry.resources:
        return True
    for name in entry.resources:
        resource, _, subresource = name.partition("/")
        if resource in ("*", fields["resource"]) and subresource == fields["subresource"]:
            return _is_one_of(fields["name"], entry.resource_names)
    return False


def _is_one_of(value: str, values: Sequence[str]) -> bool:
    return not values or "*" in values or value in values


def _filter(text: str) -> Callable[[Fields], bool]:
    """A filter on a field. Loki compares regular expressions with the whole value."""
    found = _FILTER.fullmatch(text)
    if found is None:
        raise ValueError(f"the filter {text!r} of a detection has a form that cannot be evaluated here")
    field, operator = found["field"], found["operator"]
    value = found["value"].replace('\\"', '"').replace("\\\\", "\\")
    if "~" not in operator:
        return lambda fields: (fields[field] == value) == (operator == "=")
    pattern = re.compile(value)
    return lambda fields: (pattern.fullmatch(fields[field]) is not None) == (operator == "=~")


def _line_filter(text: str) -> Callable[[str], bool]:
    found = _LINE.fullmatch(text)
    if found is None:
        raise ValueError(f"the line filter {text!r} of a detection has a form that cannot be evaluated here")
    value, wanted = found["value"], not found["operator"].startswith("!")
    if "=" in found["operator"]:
        return lambda line: (value in line) == wanted
    pattern = re.compile(value)
    return lambda line: (pattern.search(line) is not None) == wanted
