"""What a rule of another project asks for, as far as an audit policy is concerned.

A condition becomes alternatives, each of them an `Asked`: the requests it can be about, and what their events must
hold. A policy has no terms for some conditions, such as a pattern for a user's name. These do not narrow the requests,
and make the alternative inexact.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from auditlog.errors import AuditlogError
from auditlog.policy.model import Level, Stage
from auditlog.policy.partition import RESOURCE_VERBS

MOST_ALTERNATIVES = 300
"""Beyond that a condition is not followed: its rule cannot be judged."""


class NotUnderstoodError(AuditlogError):
    """A condition that is not of the known forms; the message says what."""


class ForeignError(AuditlogError):
    """A file of rules that cannot be read; the message names the file, and what is wanted."""


Values = frozenset[str] | None
"""The values of one field that are asked for; None for any."""

_ANSWERED = frozenset({Stage.RESPONSE_STARTED, Stage.RESPONSE_COMPLETE, Stage.PANIC})


@dataclass(frozen=True, slots=True)
class Asked:
    """One alternative of a condition. The names of fields are those of audit events."""

    verbs: Values = None
    api_groups: Values = None
    resources: Values = None
    subresources: Values = None
    """"" stands for the resource itself."""
    namespaces: Values = None
    level: Level = Level.METADATA
    stages: frozenset[Stage] = frozenset(Stage)
    """Any of these is enough."""
    fields: frozenset[str] = frozenset()
    """Fields that only a level for bodies keeps."""
    by_people: bool = False
    """Whether users whose names begin with `system:` are left out."""
    inexact: frozenset[str] = frozenset()
    """What is asked besides of what a policy decides by, and is not followed: users, names, patterns; in words."""
    unknown: frozenset[str] = frozenset()
    """What is asked besides and is no field of an audit event, or is not in the file."""

    def both(self, other: Asked) -> Asked | None:
        """The requests of both; None where there are none."""
        merged = replace(
            self,
            verbs=_common(self.verbs, other.verbs),
            api_groups=_common(self.api_groups, other.api_groups),
            resources=_common(self.resources, other.resources),
            subresources=_common(self.subresources, other.subresources),
            namespaces=_common(self.namespaces, other.namespaces),
            level=max(self.level, other.level, key=lambda level: level.rank),
            stages=self.stages & other.stages,
            fields=self.fields | other.fields,
            by_people=self.by_people or other.by_people,
            inexact=self.inexact | other.inexact,
            unknown=self.unknown | other.unknown,
        )
        lists = (merged.verbs, merged.api_groups, merged.resources, merged.subresources, merged.namespaces)
        return None if not merged.stages or any(each is not None and not each for each in lists) else merged


def _common(one: Values, other: Values) -> Values:
    if one is None or other is None:
        return one if other is None else other
    return one & other


Alternatives = tuple[Asked, ...]
"""Any of them is enough; none at all is never true."""

ANYTHING: Alternatives = (Asked(),)


@dataclass(frozen=True, slots=True)
class ForeignRule:
    """A rule by its title. `problem` says why it cannot be judged, empty where it can."""

    title: str
    asked: Alternatives = ()
    problem: str = ""


class TooManyAlternativesError(AuditlogError):
    """A condition that has too many to be followed."""


def either(parts: Iterable[Alternatives]) -> Alternatives:
    """What any of the parts asks for."""
    return _bounded(dict.fromkeys(asked for part in parts for asked in part))


def every(parts: Sequence[Alternatives]) -> Alternatives:
    """What all of the parts ask for."""
    found: Alternatives = ANYTHING
    for part in parts:
        merged = (one.both(other) for one in found for other in part)
        found = _bounded(dict.fromkeys(asked for asked in merged if asked is not None))
    return found


def _bounded(found: Mapping[Asked, None]) -> Alternatives:
    if len(found) > MOST_ALTERNATIVES:
        raise TooManyAlternativesError
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison of a condition: a field of audit events with values.

    `exactly` is false where the values are patterns, parts or bounds. Several values are alternatives.
    """

    field: str
    values: tuple[str, ...]
    exactly: bool = True
    words: str = dataclasses.field(default="", compare=False)

    def asked(self, *, negated: bool) -> Alternatives:
        """What it asks for, or what its opposite does."""
        said = self.words or self.field
        first = self.field.partition(".")[0].partition(" ")[0]
        if first in ("requestObject", "responseObject"):
            # The opposite is true as well of an event that has no body.
            level = Level.REQUEST if first == "requestObject" else Level.REQUEST_RESPONSE
            return ANYTHING if negated else (Asked(level=level, fields=frozenset({self.field})),)
        if self.field == "stage" and self.exactly:
            named = frozenset(stage for stage in Stage if stage.value in self.values)
            return (Asked(stages=frozenset(Stage) - named if negated else named),)
        if first in ("responseStatus", "annotations"):
            return (Asked(stages=_ANSWERED),)
        if first not in _FIELDS:
            return (Asked(unknown=frozenset({said})),)
        if self.field == "user.username" and negated and self.values in (("system:",), ("system:*",)):
            return (Asked(by_people=True),)
        if self.field in _OF_REQUESTS and self.exactly:
            name = _OF_REQUESTS[self.field]
            if not negated:
                return (replace(Asked(), **{name: frozenset(self.values)}),)  # type: ignore[arg-type]
            if self.field == "verb":
                return (Asked(verbs=frozenset(RESOURCE_VERBS) - frozenset(self.values)),)
        return (Asked(inexact=frozenset({said})),) if first in _DECIDED_BY else ANYTHING


_OF_REQUESTS = {
    "verb": "verbs",
    "objectRef.apiGroup": "api_groups",
    "objectRef.resource": "resources",
    "objectRef.subresource": "subresources",
    "objectRef.namespace": "namespaces",
}
_DECIDED_BY = frozenset({"verb", "user", "objectRef", "requestURI"})
"""What a policy decides by. Nothing else that is asked for makes a difference to whether a request is recorded."""

_FIELDS = frozenset(
    {
        *("kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "user", "impersonatedUser"),
        *("authenticationMetadata", "sourceIPs", "userAgent", "objectRef", "responseStatus", "requestObject"),
        *("responseObject", "requestReceivedTimestamp", "stageTimestamp", "annotations"),
    }
)
"""The fields of audit.k8s.io/v1 Event."""
