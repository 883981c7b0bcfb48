"""The audit policy, the request it is asked about, and the answer.

The names and meanings follow audit.k8s.io/v1 (`k8s.io/apiserver/pkg/apis/audit/v1/types.go`) and the
attributes the API server hands to the evaluator
(`k8s.io/apiserver/pkg/authorization/authorizer/interfaces.go`). Everything here is an immutable value;
reading, validation and evaluation live in their own modules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from auditlog.errors import AuditlogError

OLDEST_MINOR = 30
NEWEST_MINOR = 37
SUPPORTED_MINORS = range(OLDEST_MINOR, NEWEST_MINOR + 1)
"""Kubernetes 1.30 to 1.37, as minor numbers."""


class Level(StrEnum):
    """How much of a request is recorded; ordered None < Metadata < Request < RequestResponse."""

    NONE = "None"
    METADATA = "Metadata"
    REQUEST = "Request"
    REQUEST_RESPONSE = "RequestResponse"

    @property
    def rank(self) -> int:
        """0 for None up to 3 for RequestResponse."""
        return _LEVEL_RANK[self.value]

    # A str compares by spelling; a level compares by how much it records.
    def __lt__(self, other: str) -> bool:
        return self.rank < Level(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= Level(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > Level(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= Level(other).rank


_LEVEL_RANK = {level.value: rank for rank, level in enumerate(Level)}


class Stage(StrEnum):
    """The moments of a request at which an event can be written."""

    REQUEST_RECEIVED = "RequestReceived"
    RESPONSE_STARTED = "ResponseStarted"
    RESPONSE_COMPLETE = "ResponseComplete"
    PANIC = "Panic"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the policy text; both numbers count from 1, and 0 means "not from a text"."""

    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a policy.

    `path` is written like `rules[2].resources[0].group`, and is empty for the document itself. `refused_by_api_server`
    is False when the API server starts with such a policy, or may do so (an unknown key, a second document). The policy
    then means something else than it says. `finding` is the id of the lint finding for that. It is empty if the API
    server refuses the policy, or if nobody can know what it reads.
    """

    line: int
    column: int
    path: str
    message: str
    refused_by_api_server: bool = True
    finding: str = ""

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line else ""
        return f"{place}{self._subject}{self.message}"

    def at(self, source: str) -> str:
        """One line as compilers write it, ``SOURCE:LINE:COLUMN: …``, so that editors jump to the place."""
        place = f"{source}:{self.line}:{self.column}" if self.line else source
        return f"{place}: {self._subject}{self.message}"

    @property
    def _subject(self) -> str:
        return f"{self.path}: " if self.path else ""


class PolicyError(AuditlogError):
    """A policy that cannot be used; `problems` lists all of them in the order of the text, `source` names the
    text.
    """

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("\n".join(problem.at(source) for problem in problems))


@dataclass(frozen=True, slots=True)
class GroupResources:
    """Resources of one API group; "" is the core group, and no resources mean every one of the group."""

    group: str = ""
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule: every list that is not empty must match the request. `line` is where the rule starts in its
    text.
    """

    level: Level
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[GroupResources, ...] = ()
    namespaces: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Policy:
    """An audit policy: the first matching rule decides; without one, nothing is recorded.

    `source` names the file or setting the text came from. `positions` maps a path such as `rules[2].resources[0].group`
    to its place in that text. `ignored` is what the API server does not read. Comparisons leave out all three: two
    policies are equal when they mean the same.
    """

    rules: tuple[PolicyRule, ...]
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool = False
    source: str = field(default="", compare=False)
    positions: Mapping[str, Position] = field(default_factory=lambda: MappingProxyType({}), compare=False, repr=False)
    ignored: tuple[Problem, ...] = field(default=(), compare=False, repr=False)

    def __reduce__(self) -> tuple[type[Policy], tuple[object, ...]]:
        # A view of a dict does not pass between processes, and no other process needs places in a text.
        return Policy, (self.rules, self.omit_stages, self.omit_managed_fields, self.source)

    def locate(self, path: str) -> Position:
        """The place of `path` in the text, or of the nearest enclosing element that is written down."""
        while path not in self.positions:
            if not path:
                return Position()
            path = _LAST_STEP.sub("", path)
        return self.positions[path]


_LAST_STEP = re.compile(r"(\[\d+\]|\.?[^.\[\]]+)$")


@dataclass(frozen=True, slots=True)
class Request:
    """What the evaluator sees of an API request, before impersonation.

    `user` is None when no user is known, as in the evaluation of failed authentication. A resource request has group,
    resource, subresource, namespace and name, and its `path` does not count. For any other request only `path` counts,
    without its query. `verb` is the API verb (get, list, watch, create, ...) or, for a non-resource request, the
    lower-case HTTP method.
    """

    user: str | None
    groups: tuple[str, ...] = ()
    verb: str = ""
    resource_request: bool = True
    api_group: str = ""
    api_version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is recorded of a request. `rule_index` counts from 0 and is None when no rule matched."""

    level: Level
    omit_stages: frozenset[Stage]
    omit_managed_fields: bool
    rule_index: int | None
