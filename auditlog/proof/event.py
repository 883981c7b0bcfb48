"""What the event of a marker must hold, in the log and in Loki.

A person would check these fields by hand after a deployment: user, verb, URI, code, times, decision, and no body at
levels without one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from auditlog.events.event import NO_BODY, Event, request_path
from auditlog.events.logql import JOB
from auditlog.ledger.marks import Mark
from auditlog.plan.marker import Marker
from auditlog.policy.model import Level

_DECISION = "authorization.k8s.io/decision"


def decode_event(line: str) -> Event:
    """The event in a line of the log, or in a line of a container's log. Raises ValueError."""
    start = line.find("{")
    try:
        return msgspec.json.decode(line[max(start, 0) :], type=Event)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error


def wrong_in_event(event: Event, marker: Marker, name: str) -> Iterator[str]:
    """What the event of the request for ``name`` lacks or should not have, one clause each."""
    if not event.user.username:
        yield "it has no user.username"
    if event.verb != marker.verb:
        yield f"its verb is {event.verb!r}, not {marker.verb!r}"
    if request_path(event.request_uri) != marker.path(name):
        yield f"its requestURI is {event.request_uri!r}, not {marker.path(name)!r}"
    if not event.code:
        yield "it has no responseStatus.code"
    if event.stage_timestamp < event.request_received_timestamp:
        yield "its stageTimestamp is before its requestReceivedTimestamp"
    if event.annotations.get(_DECISION) not in ("allow", "forbid"):
        yield f"it has no annotation {_DECISION}"
    if event.level != marker.level:
        yield f"its level is {event.level}, and the policy says {marker.level}"
    if event.request_object is not NO_BODY and marker.level == Level.METADATA:
        yield f"it has a requestObject, which level {marker.level} has not"
    if event.response_object is not NO_BODY and marker.level != Level.REQUEST_RESPONSE:
        yield f"it has a responseObject, which level {marker.level} has not"


def wrong_in_loki(event: Event, cluster: str, labels: Mapping[str, str], nanoseconds: int) -> Iterator[str]:
    """What the entry of ``event`` in Loki lacks, one clause each.

    ``labels`` has the stream's labels and the entry's structured metadata. ``nanoseconds`` is the entry's time.
    """
    wanted = {
        "job": JOB,
        "cluster": cluster,
        "verb": event.verb,
        "user": event.user.username,
        "code": str(event.code),
        "level": event.level,
        "decision": event.annotations.get(_DECISION, ""),
        "auditID": event.audit_id,
    }
    for field, value in wanted.items():
        if labels.get(field, "") != value:
            yield f"its {field} is {labels.get(field, '')!r}, not {value!r}"
    if not labels.get("node"):
        yield "it has no label node"
    # An event's time has microseconds.
    if nanoseconds // 1000 != event_nanoseconds(event) // 1000:
        yield f"its time is {nanoseconds}, not stageTimestamp's, {event_nanoseconds(event)}"


def mark_of(event: Event, line: str) -> Mark:
    """The event without its content, for the ledger's comparison. ``line`` is the log's line with the event."""
    size = len(line[max(line.find("{"), 0) :].encode())
    return Mark(event.stage_timestamp, event.audit_id, event.stage, size)


def event_nanoseconds(event: Event) -> int:
    """The event's own time, since 1970."""
    moment = event.stage_timestamp
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000
