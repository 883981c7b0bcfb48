"""Why a recorded event must not be lost: who sent it, how it was answered, and which detections count it.

Where an event alone cannot tell, it counts: a detection that looks into a body counts every event with such a body.
What is decided from an event here holds for all events of its kind (`auditlog.events.kinds`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from auditlog.detections.callers import logql_filters
from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.identity import HAND_TOOLS
from auditlog.detections.model import Detection, Events
from auditlog.events.event import Event, to_request
from auditlog.events.kinds import Mark
from auditlog.events.logql import HAS_DEPRECATION_TRUE, HAS_IMPERSONATION
from auditlog.policy.evaluate import rule_matches
from auditlog.policy.model import Level, PolicyRule, Request
from auditlog.policy.senders import ANONYMOUS, CONTROL_PLANE

PERSON = "of a person"
UNKNOWN = "of an unknown identity"
DENIED = "denied"
IMPERSONATED = "in another's name"
BY_HAND = "of a program's identity in a person's tool"
DETECTION = "detection "

_FILTER = re.compile(r'(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"')
_REFUSED = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Marks:
    """Gives the marks of events. `programs` are users that look like people and are none; `detections` what is kept."""

    programs: frozenset[str] = frozenset()
    detections: frozenset[str] = frozenset()

    def __call__(self, event: Event) -> tuple[Mark, ...]:
        """The reasons why this event must not be lost, in a fixed order."""
        return tuple(self._reasons(event))

    def _reasons(self, event: Event) -> Iterator[Mark]:
        user, groups = event.user.username, event.user.groups
        if not user or user == ANONYMOUS or "system:unauthenticated" in groups:
            yield Mark(UNKNOWN)
        elif not is_program(user, self.programs):
            yield Mark(UNKNOWN if user.startswith("system:") else PERSON)
        elif re.fullmatch(HAND_TOOLS, event.user_agent):
            yield Mark(BY_HAND)
        if event.code in _REFUSED:
            yield Mark(DENIED)
        if event.impersonated_user is not None:
            yield Mark(IMPERSONATED)
        request = to_request(event)
        for detection in _detections(self.detections):
            level = counts(detection, event, request)
            if level is not None:
                yield Mark(f"{DETECTION}{detection.id}", level)


def is_program(user: str, programs: frozenset[str]) -> bool:
    """Whether a user is known to be a program: a component, a node, a ServiceAccount, or named as one."""
    if user in programs or user in CONTROL_PLANE:
        return True
    kind, _, rest = user.removeprefix("system:").partition(":")
    return user.startswith("system:") and kind in ("node", "serviceaccount") and bool(rest)


@lru_cache(maxsize=8)
def _detections(ids: frozenset[str]) -> tuple[Detection, ...]:
    return tuple(each for each in DETECTIONS if each.id in ids and isinstance(each.source, Events))


def counts(detection: Detection, event: Event, request: Request) -> Level | None:
    """The level at which the detection counts such an event; None where it does not count it."""
    source = detection.source
    if not isinstance(source, Events) or event.stage not in source.stages:
        return None
    if source.codes and not re.fullmatch(source.codes, str(event.code)):
        return None
    if any(not _passes(each, event) for each in (*logql_filters(source.callers), *source.fields)):
        return None
    if any(not _line_passes(each, event) for each in source.lines):
        return None
    if source.open:
        return Level.METADATA
    matched = [rule.level for rule in _rules(source) if rule_matches(rule, request)]
    return max(matched, key=lambda level: level.rank) if matched else None


@lru_cache(maxsize=len(DETECTIONS))
def _rules(source: Events) -> tuple[PolicyRule, ...]:
    """What it looks for, whatever the object's name."""
    return tuple(
        PolicyRule(
            each.level,
            verbs=each.verbs,
            resources=tuple(replace(entry, resource_names=()) for entry in each.resources),
            namespaces=each.namespaces,
        )
        for each in source.requests
    )


def _passes(condition: str, event: Event) -> bool:
    """Whether a label filter lets the event through; True where it looks at what differs within a kind."""
    match = _FILTER.fullmatch(condition)
    values = {
        "user": event.user.username,
        "userAgent": event.user_agent,
        "groups": " ".join(event.user.groups),
    }
    if match is None or match[1] not in values:
        return True
    value, wanted = values[match[1]], match[3].replace("\\\\", "\\")
    found = value == wanted if match[2] in ("=", "!=") else re.fullmatch(wanted, value) is not None
    return found != match[2].startswith("!")


def _line_passes(condition: str, event: Event) -> bool:
    if condition == HAS_IMPERSONATION:
        return event.impersonated_user is not None
    if condition == HAS_DEPRECATION_TRUE:
        return event.annotations.get("k8s.io/deprecated") == "true"
    return True
