"""What was tried without an identity (004_b3f6e118a06daecc.txt)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from auditlog.events.coverage import ANY_TIME, CoverageWatch, TimeRange
from auditlog.events.event import Event, Sighting, resource_name
from auditlog.events.questions.common import Answer, Groups, one_per_request


class Reach(StrEnum):
    """How far a request without credentials came."""

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


# ClusterRole system:public-info-viewer, bound to system:unauthenticated.
_PUBLIC_PATHS = frozenset({"/healthz", "/livez", "/readyz", "/version", "/version/"})


def anonymous(sightings: Iterable[Sighting], time: TimeRange = ANY_TIME) -> AnonymousAnswer:
    """What was tried without an identity, and what of it worked."""
    watch = CoverageWatch(time)
    groups: Groups[tuple[Reach, str, str, str, int, str, str]] = Groups()
    for sighting in one_per_request(each for each in watch.over(sightings) if _is_anonymous(each.event)):
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


def _is_anonymous(event: Event) -> bool:
    return event.user.username in ("", "system:anonymous") or "system:unauthenticated" in event.user.groups


def _reach(event: Event, path: str) -> Reach:
    if not event.user.username or event.code == 401:
        return Reach.NOT_AUTHENTICATED
    if event.code == 0 or event.code >= 400:
        return Reach.REFUSED
    reference = event.object_ref
    if reference is None:
        return Reach.PUBLIC if path in _PUBLIC_PATHS else Reach.REACHED
    # What `kubeadm join` reads before it has an identity (RoleBinding kubeadm:bootstrap-signer-clusterinfo).
    cluster_info = (reference.resource, reference.namespace, reference.name) == (
        "configmaps",
        "kube-public",
        "cluster-info",
    )
    return Reach.PUBLIC if cluster_info and event.verb == "get" else Reach.REACHED
