"""What a request changed: from audit annotations, else from the difference of bodies, else not recorded.

Values of Secrets, ConfigMaps, environment variables and tokens are never shown, whatever the log holds.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from auditlog.events.event import Event, ObjectReference
from auditlog.events.story.facts import facts_of, is_annotated, sentences

REMEMBERED_OBJECTS = 1_000
MOST_PARTS = 8
LONGEST_VALUE = 80

_HIDDEN = "(not shown)"
_UNTOLD_KINDS = frozenset({"Secret", "ConfigMap", "TokenRequest"})
_OWN_FIELDS = frozenset({"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"})
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_UPDATES = frozenset({"update", "patch"})
_ENTERS = frozenset({"exec", "attach", "portforward"})
_MISSING = object()


class Source(StrEnum):
    """The source of what changed."""

    ANNOTATIONS = "annotations"
    BODIES = "difference of bodies"
    PATCH = "patch"
    NOT_RECORDED = "not recorded"
    NOTHING = ""
    """Nothing more needs to be said about the change."""


@dataclass(frozen=True, slots=True)
class Change:
    """What changed, in short parts, and the source of that."""

    parts: tuple[str, ...] = ()
    source: Source = Source.NOTHING


@dataclass(slots=True)
class Bodies:
    """Keeps the last body of each object, from events that pass by in the order of time."""

    _last: OrderedDict[tuple[str, str, str, str], Any] = field(default_factory=OrderedDict)

    def change(self, event: Event) -> Change:
        """Returns what a request changed, and remembers its body."""
        before, after = self._remember(event)
        facts = facts_of(event.annotations)
        if facts:
            return Change(sentences(facts), Source.ANNOTATIONS)
        if event.verb not in _UPDATES:
            enters = event.object_ref is not None and event.object_ref.subresource in _ENTERS
            return Change((), Source.NOT_RECORDED if enters and event.code < 400 else Source.NOTHING)
        if before is not None and after is not None:
            return _shortened(_difference(before, after), Source.BODIES)
        if event.verb == "patch" and (patch := _decoded(event.request_object)) is not None:
            return _shortened(_patched(patch, _kind_of(event.object_ref)), Source.PATCH)
        if is_annotated(event.annotations):
            return Change(("no change of what is annotated",), Source.ANNOTATIONS)
        return Change((), Source.NOT_RECORDED)

    def _remember(self, event: Event) -> tuple[Any, Any]:
        reference = event.object_ref
        if reference is None or event.code >= 400 or event.verb not in ("create", "update", "patch", "get"):
            return None, None
        if reference.subresource not in ("", "status", "scale"):
            return None, None
        after = _decoded(event.response_object)
        if after is None and event.verb in ("create", "update"):
            after = _decoded(event.request_object)
        if not isinstance(after, Mapping) or after.get("kind") == "Status":
            return None, None
        key = (reference.api_group, reference.resource + reference.subresource, reference.namespace, reference.name)
        before = self._last.pop(key, None)
        self._last[key] = after
        if len(self._last) > REMEMBERED_OBJECTS:
            self._last.popitem(last=False)
        return before, after


def owners_of(event: Event) -> tuple[tuple[str, str], ...]:
    """Kind and name of the owners that a body names."""
    body = _decoded(event.response_object) or _decoded(event.request_object)
    metadata = body.get("metadata") if isinstance(body, Mapping) else None
    references = metadata.get("ownerReferences") if isinstance(metadata, Mapping) else None
    if not isinstance(references, list):
        return ()
    return tuple((str(each.get("kind")), str(each.get("name"))) for each in references if isinstance(each, Mapping))


def body_name(event: Event) -> str:
    """The name that the API server gave an object, from the response's body; "" without one."""
    body = _decoded(event.response_object)
    metadata = body.get("metadata") if isinstance(body, Mapping) else None
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) else ""


def _decoded(raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw) if len(raw) else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _shortened(parts: Iterator[str], source: Source) -> Change:
    found = list(parts)
    if not found:
        return Change(("no change",), source)
    more = len(found) - MOST_PARTS
    return Change((*found[:MOST_PARTS], *([f"{more} more"] if more > 0 else [])), source)


def _difference(before: Any, after: Any) -> Iterator[str]:
    untold = isinstance(after, Mapping) and after.get("kind") in _UNTOLD_KINDS
    yield from _differences(before, after, "", untold=untold)


def _differences(before: Any, after: Any, path: str, *, untold: bool) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            if not _is_ignored(path, key):
                place = f"{path}.{key}" if path else str(key)
                yield from _differences(before.get(key, _MISSING), after.get(key, _MISSING), place, untold=untold)
        return
    named_before, named_after = _by_name(before), _by_name(after)
    if named_before is not None and named_after is not None:
        for name in dict.fromkeys((*named_before, *named_after)):
            place = f"{path}[{name}]"
            yield from _differences(
                named_before.get(name, _MISSING), named_after.get(name, _MISSING), place, untold=untold
            )
        return
    if before != after:
        yield f"{path} {_value(before, path, untold=untold)} -> {_value(after, path, untold=untold)}"


def _patched(patch: Any, kind: str, path: str = "") -> Iterator[str]:
    """What a patch sets: the operations of a JSON patch, the leaves of any other patch."""
    untold = kind in _UNTOLD_KINDS
    if isinstance(patch, list) and not path:
        for step in patch:
            if isinstance(step, Mapping):
                place = str(step.get("path", "")).strip("/").replace("/", ".")
                yield f"{step.get('op')} {place} {_value(step.get('value', _MISSING), place, untold=untold)}".rstrip()
        return
    if isinstance(patch, Mapping):
        for key, value in patch.items():
            if not _is_ignored(path, key) and not str(key).startswith("$"):
                name = patch.get("name") if path.endswith("]") else None
                if key != "name" or name is None:
                    yield from _patched(value, kind, f"{path}.{key}" if path else str(key))
        return
    named = _by_name(patch)
    if named is not None:
        for name, value in named.items():
            yield from _patched(value, kind, f"{path}[{name}]")
        return
    if path not in ("kind", "apiVersion", "metadata.name", "metadata.namespace"):
        yield f"{path} = {_value(patch, path, untold=untold)}"


def _is_ignored(path: str, key: object) -> bool:
    if path == "metadata":
        return key in _OWN_FIELDS
    return key == _LAST_APPLIED or (not path and key == "status")


def _by_name(value: Any) -> dict[str, Any] | None:
    """A list of things with names, by name."""
    if not isinstance(value, list) or not all(isinstance(each, Mapping) and "name" in each for each in value):
        return None
    return {str(each["name"]): each for each in value}


def _value(value: Any, path: str, *, untold: bool) -> str:
    if value is _MISSING:
        return "(nothing)"
    secret = untold and not path.startswith("metadata")
    if secret or ".env[" in path or path.rpartition(".")[2] in ("token", "password", "value"):
        return _HIDDEN
    text = json.dumps(_without_values(value), ensure_ascii=False) if not isinstance(value, str) else value
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _without_values(value: Any) -> Any:
    """A part of an object without the values of environment variables."""
    if isinstance(value, Mapping):
        hidden = {"value", "token", "password", "env", "data", "stringData", "binaryData"}
        return {key: _HIDDEN if key in hidden else _without_values(each) for key, each in value.items()}
    return [_without_values(each) for each in value] if isinstance(value, list) else value


def _kind_of(reference: ObjectReference | None) -> str:
    kinds = {"secrets": "Secret", "configmaps": "ConfigMap"}
    return kinds.get(reference.resource, "") if reference and not reference.api_group else ""
