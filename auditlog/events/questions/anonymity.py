"""What was tried without an identity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from auditlog.events.coverage import ANY_TIME, CoverageWatch, TimeRange
from auditlog.events.event import Event, Sighting, resource_name
from auditlog.events.questions.common import Answer, Groups, one_per_request
from auditlog.policy.model import GroupResources, Level, PolicyRule
from auditlog.policy.recording import Need
from auditlog.policy.resources import HEALTH_PATHS


class Reach(StrEnum):
    """How far a request without an identity got."""

    REACHED = "reached"
    """It got an answer that is not meant for everyone."""
    PUBLIC = "public"
    """It got what Kubernetes and kubeadm give to everyone: health, version, cluster-info."""
    REFUSED = "refused"
    """Authorization turned it down, or it failed otherwise."""
    NOT_AUTHENTICATED = "not authenticated"
    """Its credentials were not accepted."""


@dataclass(frozen=True, slots=True)
class AnonymousAccess:
    """Requests without an identity that were alike."""

    reach: Reach
    verb: str
    target: str
    namespace: str
    code: int
    source_ip: str
    user_agent: str
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class AnonymousAnswer(Answer):
    """Requests without an identity, those that reached something first."""

    accesses: tuple[AnonymousAccess, ...]

    @property
    def found(self) -> bool:
        """Whether anything was asked for but health, version and cluster-info."""
        return any(access.reach is not Reach.PUBLIC and not is_probe(access.target) for access in self.accesses)


# ClusterRole system:public-info-viewer, bound to system:unauthenticated.
_PUBLIC_PATHS = frozenset({*HEALTH_PATHS, "/version", "/version/"})
_CLUSTER_INFO = ("configmaps", "kube-public", "cluster-info")
"""What `kubeadm join` reads before it has an identity (RoleBinding kubeadm:bootstrap-signer-clusterinfo)."""

ANONYMOUS_NEED = Need(
    "requests without an identity",
    (
        PolicyRule(Level.NONE, non_resource_urls=tuple(f"{path}*" for path in HEALTH_PATHS)),
        PolicyRule(Level.NONE, non_resource_urls=("/version", "/version/")),
        PolicyRule(
            Level.NONE,
            verbs=("get",),
            resources=(GroupResources("", _CLUSTER_INFO[:1], _CLUSTER_INFO[2:]),),
            namespaces=_CLUSTER_INFO[1:2],
        ),
        PolicyRule(Level.METADATA),
    ),
    sent_by=lambda sender: sender.is_unauthenticated,
    advice=(PolicyRule(Level.METADATA, user_groups=("system:unauthenticated",)),),
)
"""Everything but health probes, the version and cluster-info, which Kubernetes gives to everyone."""


def is_probe(target: str) -> bool:
    """Whether a path is a health probe's, or below one."""
    return target.startswith(HEALTH_PATHS)


def anonymous(sightings: Iterable[Sighting], time: TimeRange = ANY_TIME) -> AnonymousAnswer:
    """What was tried without an identity, and what worked."""
    watch = CoverageWatch(time)
    groups: Groups[tuple[Reach, str, str, str, int, str, str]] = Groups()
    for sighting in one_per_request(each for each in watch.over(sightings) if is_anonymous(each.event)):
        event = sighting.event
        reference = event.object_ref
        path = event.request_uri.partition("?")[0]
        groups.add(
            (
                _reach(event, path),
                event.verb,
                resource_name(reference) or path,
                reference.namespace if reference else "",
                event.code,
                event.source_ips[0] if event.source_ips else "",
                event.user_agent,
            ),
            event,
        )
    order = list(Reach)
    found = [AnonymousAccess(*key, group.count, group.first, group.last) for key, group in groups.items()]
    found.sort(key=lambda access: (order.index(access.reach), -access.count, access.first))
    return AnonymousAnswer(watch.result(), groups.left_out, tuple(found))


def is_anonymous(event: Event) -> bool:
    """Whether the request had no identity."""
    return event.user.username in ("", "system:anonymous") or "system:unauthenticated" in event.user.groups


def _reach(event: Event, path: str) -> Reach:
    if not event.user.username or event.code == 401:
        return Reach.NOT_AUTHENTICATED
    if event.code == 0 or event.code >= 400:
        return Reach.REFUSED
    reference = event.object_ref
    if reference is None:
        return Reach.PUBLIC if path in _PUBLIC_PATHS else Reach.REACHED
    is_cluster_info = (reference.resource, reference.namespace, reference.name) == _CLUSTER_INFO
    return Reach.PUBLIC if is_cluster_info and event.verb == "get" else Reach.REACHED
