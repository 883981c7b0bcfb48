"""What the annotations of one event say: what changed, what was given to whom, what ran, what is gone.

It is read from an event as it was recorded, whatever its level. Your own entries (``annotations.files``) are read like
any other: their values are in ``values``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from auditlog.annotations.model import POLICY_PREFIX, SENTINEL, STATIC_SUFFIX

NO_CHANGE = "no change"
"""The value of an annotation ``changed`` if an update left alone what its entry looks at."""
_KEYS = "keys "
_ARROW = " -> "
_NEXT_SUBJECT = re.compile(r", (?=(?:User|Group|ServiceAccount) )")
_WORDS = {"serviceAccount": "service account", "podSecurity": "pod security", "externalIPs": "external addresses"}
_BEFORE_AND_NOW = (
    ("workload-change", ("images", "replicas", "serviceAccount")),
    ("scale", ("replicas",)),
    ("namespace", ("podSecurity",)),
    ("service", ("type",)),
)
"""Entries whose values hold the state before and after, with the keys of these values."""
_GRANTED = {"wildcards": "wildcards for", "escalating": "may", "sensitive": "opens"}
_REACHED = {
    "privileged": "privileged:",
    "hostNamespaces": "shares",
    "hostPath": "mounts",
    "capabilities": "capabilities:",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that an update changed. ``detail`` holds the state before and after, or the keys.

    It is empty if only the fact is known.
    """

    what: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.detail}" if self.detail else self.what


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a binding gives a role to. ``namespace`` is the ServiceAccount's, empty for others."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class WhatChanged:
    """What its annotations show about one request. A field is empty if they do not show it.

    Nothing is certain about an entry that is not in ``complete``: an expression failed, or its policy was not in force.
    """

    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By entry, then by key, without the sentinels."""
    complete: frozenset[str] = frozenset()
    """Entries whose annotations are all in the event, whole."""
    changes: tuple[Change, ...] = ()
    """What an update changed."""
    unchanged: bool = False
    """Whether an update is known to have left alone all that the entries look at."""
    role: str = ""
    """What a binding binds: ``ClusterRole NAME`` or ``Role NAME``."""
    subjects: tuple[Subject, ...] = ()
    """Whom a binding gives its role to. A user whose name holds `, Group x` is read as two."""
    grants: Mapping[str, str] = field(default_factory=dict)
    """What makes a role powerful: ``wildcards``, ``escalating`` verbs, ``sensitive`` resources."""
    reaches: Mapping[str, str] = field(default_factory=dict)
    """How a workload reaches its node: ``privileged``, ``hostNamespaces``, ``hostPath``, ``capabilities``."""
    command: str = ""
    """The command of an exec."""
    deleted_uid: str = ""
    """The UID of the deleted object, or of the first one if ``deleted_collection``."""
    deleted_owners: str = ""
    """What the deleted object belonged to."""
    deleted_labels: str = ""
    """The labels of the deleted object."""
    deleted_collection: bool = False
    """Whether one request deleted many objects."""

    @property
    def changed(self) -> str:
        """The changes in one line (`images main: x:1 -> x:2, replicas 0 -> 2`), or `no change` where that is known."""
        return ", ".join(map(str, self.changes)) or (NO_CHANGE if self.unchanged else "")

    @property
    def summary(self) -> str:
        """Everything that the annotations show, in one line; empty if they show nothing."""
        subjects = ", ".join(map(str, self.subjects))
        owners = f" of {self.deleted_owners}" if self.deleted_owners else ""
        parts = (
            f"changed: {self.changed}" if self.changes else self.changed,
            f"{self.role} to {subjects or 'nobody'}" if self.role else "",
            *(f"{_GRANTED[key]} {said}" for key, said in self.grants.items()),
            *(f"{_REACHED[key]} {said}" for key, said in self.reaches.items()),
            f"ran: {self.command}" if self.command else "",
            f"was: UID {self.deleted_uid}{owners}" if self.deleted_uid and not self.deleted_collection else "",
        )
        return "; ".join(filter(None, parts))


def written(annotations: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Entry, key and value of what our policies wrote into an event, sentinels included, in the order of the event.

    If an entry's policy comes from a file, only that one counts. Whoever may write admission policies can make another
    policy of the same name write anything.
    """
    policies = {name.partition("/")[0] for name in annotations}
    for name, value in annotations.items():
        policy, slash, key = name.partition("/")
        if slash and policy.startswith(POLICY_PREFIX) and f"{policy}{STATIC_SUFFIX}" not in policies:
            yield policy.removeprefix(POLICY_PREFIX).removesuffix(STATIC_SUFFIX), key, value


def what_changed(annotations: Mapping[str, str]) -> WhatChanged:
    """What the ``annotations`` of an event show. Annotations that others wrote are left out."""
    values: dict[str, dict[str, str]] = {}
    for entry, key, value in written(annotations):
        values.setdefault(entry, {})[key] = value
    complete = frozenset(entry for entry, said in values.items() if said.pop(SENTINEL, "") == "yes")
    said = [each["changed"] for each in values.values() if "changed" in each]
    changes = (*_listed(values), *_before_and_now(values))
    deleted, binding = values.get("deleted", {}), values.get("binding", {})
    return WhatChanged(
        values=values,
        complete=complete,
        changes=changes,
        unchanged=not changes and bool(said) and all(each == NO_CHANGE for each in said),
        role=binding.get("role", ""),
        subjects=tuple(map(_subject, filter(None, _NEXT_SUBJECT.split(binding.get("subjects", ""))))),
        grants=_chosen(values.get("role", {}), _GRANTED),
        reaches=_chosen(values.get("workload", {}), _REACHED),
        command=values.get("session", {}).get("command", ""),
        deleted_uid=deleted.get("uid", ""),
        deleted_owners=deleted.get("owners", ""),
        deleted_labels=deleted.get("labels", ""),
        deleted_collection=deleted.get("collection") == "yes",
    )


def _listed(values: Mapping[str, Mapping[str, str]]) -> tuple[Change, ...]:
    """What the keys ``changed`` and ``added`` name, unless another key of the same entry says it more exactly."""
    found = []
    for entry, said in values.items():
        added, changed = said.get("added", ""), said.get("changed", NO_CHANGE)
        exact = bool(added) or any(key in said for name, keys in _BEFORE_AND_NOW if name == entry for key in keys)
        if added:
            found.append(Change("added containers", added))
        if changed.startswith(_KEYS):
            found.append(Change("keys", changed.removeprefix(_KEYS)))
        elif changed != NO_CHANGE and not exact:
            found.append(Change(changed))
    return tuple(found)


def _before_and_now(values: Mapping[str, Mapping[str, str]]) -> tuple[Change, ...]:
    return tuple(
        Change(_WORDS.get(key, key), said)
        for entry, keys in _BEFORE_AND_NOW
        for key in keys
        if _ARROW in (said := values.get(entry, {}).get(key, ""))
    )


def _chosen(said: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    return {key: said[key] for key in keys if key in said}


def _subject(text: str) -> Subject:
    kind, _, name = text.partition(" ")
    if kind == "ServiceAccount":
        namespace, slash, account = name.partition("/")
        return Subject(kind, account if slash else name, namespace if slash else "")
    return Subject(kind, name)
