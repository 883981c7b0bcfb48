"""The form of a detection that reads an annotation in place of a body, in LogQL and for an event that is at hand.

An admission policy sees the object as it will be stored. So this form reads no JSON patch, and it sees what a body may
hide (`Events.unseen`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from enum import StrEnum

from auditlog.annotations.model import POLICY_PREFIX, STATIC_SUFFIX, Entry
from auditlog.annotations.what_changed import NO_CHANGE
from auditlog.detections.model import NO_DRY_RUN, Annotated, Events
from auditlog.events.logql import read_from_either
from auditlog.policy.model import Level

_CHANGED = "changed"


class Form(StrEnum):
    """What a detection looks at to tell that something happened."""

    BODIES = "bodies"
    ANNOTATIONS = "annotations"


def written_keys(entries: Iterable[Entry]) -> frozenset[str]:
    """The keys that these entries write into events."""
    return frozenset(entry.key(each.key) for entry in entries for each in entry.annotations)


def forms(events: Events, written: Set[str]) -> Mapping[Form, Events]:
    """What may be counted in place of one another. `written` are the keys that annotations write."""
    found = {Form.BODIES: replace(events, annotated=None)}
    if events.annotated is not None and _key(events.annotated) in written:
        found[Form.ANNOTATIONS] = annotated_form(events, events.annotated)
    return found


def annotated_form(events: Events, annotated: Annotated) -> Events:
    """The events that count by their annotation, which are at Metadata or more."""
    asked = {"found": (annotated.entry, annotated.key)}
    if annotated.changed:
        asked["changed"] = (annotated.changed, _CHANGED)
    value = annotated.value.replace("\\", "\\\\").replace('"', '\\"')
    return replace(
        events,
        requests=tuple(replace(each, level=Level.METADATA) for each in events.requests),
        lines=(*_lines(annotated), *(line for line in events.lines if line == NO_DRY_RUN)),
        fields=(
            *events.fields,
            *read_from_either(asked),
            f'found=~"(?s){value}"',
            *([f'changed!="{NO_CHANGE}"'] if annotated.changed else []),
        ),
        unseen=(),
        annotated=None,
    )


def counts(annotated: Annotated, annotations: Mapping[str, str]) -> bool:
    """Whether an event with these annotations counts, as in the LogQL."""
    suffix = STATIC_SUFFIX if annotations.get(_key(annotated, STATIC_SUFFIX)) else ""
    changed = f"{POLICY_PREFIX}{annotated.changed}{suffix}/{_CHANGED}"
    if annotated.changed and annotations.get(changed) == NO_CHANGE:
        return False
    return re.fullmatch(f"(?s){annotated.value}", annotations.get(_key(annotated, suffix), "")) is not None


def _key(annotated: Annotated, suffix: str = "") -> str:
    return f"{POLICY_PREFIX}{annotated.entry}{suffix}/{annotated.key}"


def _lines(annotated: Annotated) -> Iterator[str]:
    """What is in every line that counts, whichever way its annotation came."""
    yield f'|= `"{POLICY_PREFIX}{annotated.entry}`'
    yield f'|= `/{annotated.key}":`'
