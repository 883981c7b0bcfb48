"""The form of a detection that reads an annotation in place of a body, in LogQL and for an event that is at hand.

An admission policy sees the object as it will be stored. So this form reads no JSON patch, and it sees what a body may
hide (`Events.unseen`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from enum import StrEnum

from auditlog.annotations.model import POLICY_PREFIX, Entry
from auditlog.annotations.what_changed import NO_CHANGE
from auditlog.detections.model import NO_DRY_RUN, Annotated, Events
from auditlog.policy.model import Level


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
    asked = {"found": _key(annotated), **({"changed": _changed_key(annotated)} if annotated.changed else {})}
    paths = ", ".join(f'{name}="annotations[\\"{key}\\"]"' for name, key in asked.items())
    value = annotated.value.replace("\\", "\\\\").replace('"', '\\"')
    return replace(
        events,
        requests=tuple(replace(each, level=Level.METADATA) for each in events.requests),
        lines=(f"|= `{_key(annotated)}`", *(line for line in events.lines if line == NO_DRY_RUN)),
        fields=(
            *events.fields,
            f"json {paths}",
            f'found=~"(?s){value}"',
            *([f'changed!="{NO_CHANGE}"'] if annotated.changed else []),
        ),
        unseen=(),
        annotated=None,
    )


def counts(annotated: Annotated, annotations: Mapping[str, str]) -> bool:
    """Whether an event with these annotations counts, as in the LogQL."""
    if annotated.changed and annotations.get(_changed_key(annotated)) == NO_CHANGE:
        return False
    return re.fullmatch(f"(?s){annotated.value}", annotations.get(_key(annotated), "")) is not None


def _key(annotated: Annotated) -> str:
    return f"{POLICY_PREFIX}{annotated.entry}/{annotated.key}"


def _changed_key(annotated: Annotated) -> str:
    return f"{POLICY_PREFIX}{annotated.changed}/changed"
