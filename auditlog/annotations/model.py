"""What an entry of the catalogue of annotations says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MOST_ANNOTATIONS = 20
"""The most annotations of one ValidatingAdmissionPolicy, one of which is the sentinel
(https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/)."""
SENTINEL = "complete"
"""The annotation that an event has if and only if it has all others of the same policy, whole."""
POLICY_PREFIX = "audit-annotations-"
"""How the names of our admission policies and bindings begin."""
OWNER_MARK = "kubernetes-audit/owner"
"""The annotation of a policy or binding in a cluster that names the stack that made it."""
MADE_MARK = "kubernetes-audit/made"
"""Its annotation with the time of the run that made it. An earlier version set this one alone."""
STATIC_SUFFIX = ".static.k8s.io"
"""How the names of policies and bindings end that an API server reads from a file. No other name may end so
(k8s.io/apiserver pkg/admission/plugin/manifest)."""
LONGEST_VALUE = 10 * 1024
"""Bytes of a value; the API server cuts longer ones
(https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/validating-admission-policy-v1/)."""


class Operation(StrEnum):
    """What is done to an object, as admission names it. Reads never get there."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CONNECT = "CONNECT"


_VERBS = {
    Operation.CREATE: ("create",),
    Operation.UPDATE: ("update", "patch"),
    Operation.DELETE: ("delete", "deletecollection"),
    Operation.CONNECT: ("get", "create"),
}


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests that an entry annotates: these resources of a group (``""`` for the core), or subresources
    (``pods/exec``)."""

    group: str
    resources: tuple[str, ...]
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotation. ``value`` is CEL of type string; where it is empty, the event has no such annotation."""

    key: str
    about: str
    value: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the catalogue, which becomes one admission policy. ``variables`` are CEL, in order.

    ``file`` is its file, for messages.
    """

    name: str
    about: str
    requests: tuple[Requests, ...]
    variables: Mapping[str, str]
    annotations: tuple[Annotation, ...]
    file: str = field(default="", repr=False, compare=False)

    @property
    def policy_name(self) -> str:
        """The name of the ValidatingAdmissionPolicy: what comes before the ``/`` of its keys in an event."""
        return f"{POLICY_PREFIX}{self.name}"

    @property
    def static_name(self) -> str:
        """The name of the same policy in a file of a node."""
        return f"{self.policy_name}{STATIC_SUFFIX}"

    def key(self, annotation: str) -> str:
        """The key of one of its annotations in an event, where the policy is an object of the cluster."""
        return f"{self.policy_name}/{annotation}"


def annotated_verbs(entries: Iterable[Entry]) -> Mapping[tuple[str, str], frozenset[str]]:
    """The verbs of requests that entries annotate, by API group and resource. A create may be a patch as well."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    for each in (each for entry in entries for each in entry.requests):
        verbs = frozenset(verb for operation in each.operations for verb in _VERBS[operation])
        for resource in each.resources:
            found[each.group, resource] = found.get((each.group, resource), frozenset()) | verbs
    return found
