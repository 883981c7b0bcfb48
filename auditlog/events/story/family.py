"""Which objects belong to an owner: a Deployment's ReplicaSets and Pods, a CronJob's Jobs and their Pods.

If the log has bodies or the annotation `owners`, an owner reference shows it. Otherwise names do. Controllers name a
child with the owner's name, then a hash or number, then five letters. That alphabet has no vowels and few digits
(`k8s.io/apimachinery/pkg/util/rand`), so a name that a person chose rarely matches.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from auditlog.events.event import Event
from auditlog.events.story.change import body_name, owners_of
from auditlog.events.story.facts import OWNERS, facts_of

_LETTER = "[bcdfghjklmnpqrstvwxz2456789]"
_HASH = f"{_LETTER}{{6,10}}"
_END = f"{_LETTER}{{5}}"

_CHILDREN = {
    "deployments": {"replicasets": f"-{_HASH}", "pods": f"-{_HASH}-{_END}"},
    "replicasets": {"pods": f"-{_END}"},
    "replicationcontrollers": {"pods": f"-{_END}"},
    "daemonsets": {"pods": f"-{_END}"},
    "statefulsets": {"pods": r"-\d+"},
    "jobs": {"pods": rf"(-\d+)?-{_END}"},
    "cronjobs": {"jobs": r"-\d+", "pods": rf"-\d+(-\d+)?-{_END}"},
}
"""By owner, how controllers name its children and their children."""

_KINDS = {
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "replicationcontrollers": "ReplicationController",
    "daemonsets": "DaemonSet",
    "statefulsets": "StatefulSet",
    "jobs": "Job",
    "cronjobs": "CronJob",
    "pods": "Pod",
}


class Relation(StrEnum):
    """How an object is related to the one that was asked for."""

    ITSELF = "itself"
    OWNED = "owned"
    """An owner reference shows it."""
    NAMED = "named like a child"
    """Its name is one that a controller would have given it."""
    PERHAPS = "perhaps"
    """A request for a whole collection, or one whose object's name the log does not have."""
    NONE = ""


def children_of(resource: str) -> tuple[str, ...]:
    """The plurals of the resources that such an owner has."""
    return tuple(_CHILDREN.get(resource, ()))


@dataclass(slots=True)
class Family:
    """An owner in a namespace, and the objects that were seen to belong to it."""

    resource: str
    name: str
    namespace: str
    _patterns: dict[str, re.Pattern[str]] = field(init=False)
    _owned: set[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self._patterns = {
            child: re.compile(re.escape(self.name) + ending)
            for child, ending in _CHILDREN.get(self.resource, {}).items()
        }
        self._owned = {(_KINDS.get(self.resource, ""), self.name)}

    def relation(self, event: Event) -> Relation:
        """How the object of an event is related to the owner, unless it is the owner itself."""
        reference = event.object_ref
        if reference is None or reference.resource not in self._patterns or reference.namespace != self.namespace:
            return Relation.NONE
        kind = _KINDS[reference.resource]
        name = reference.name or body_name(event)
        owners = owners_of(event) if event.code < 400 else ()
        told = facts_of(event.annotations).get(OWNERS, "")
        owners += tuple((each.partition(" ")[0], each.partition(" ")[2]) for each in told.split(", ") if each)
        if not self._owned.isdisjoint(owners):
            self._owned.add((kind, name))
            return Relation.OWNED
        if (kind, name) in self._owned:
            return Relation.OWNED
        if owners:
            return Relation.NONE
        return Relation.NAMED if self._patterns[reference.resource].fullmatch(name) else Relation.NONE
