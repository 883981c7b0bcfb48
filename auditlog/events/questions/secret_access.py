"""Who read which Secret."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from auditlog.events.coverage import ANY_TIME, CoverageWatch, TimeRange
from auditlog.events.event import Event, Sighting
from auditlog.events.questions.common import Answer, Groups, one_per_request
from auditlog.policy.model import GroupResources, Level, PolicyRule
from auditlog.policy.recording import Need

_READS = frozenset({"get", "list", "watch"})


class Identity(StrEnum):
    """What kind of user a user name belongs to."""

    HUMAN = "human"
    SERVICE_ACCOUNT = "service account"
    NODE = "node"
    CONTROL_PLANE = "control plane"
    ANONYMOUS = "anonymous"


def identity(username: str) -> Identity:
    """The kind of a user name. A name without the prefix `system:` counts as a person or an outside program."""
    if username in ("", "system:anonymous"):
        return Identity.ANONYMOUS
    if username.startswith("system:serviceaccount:"):
        return Identity.SERVICE_ACCOUNT
    if username.startswith("system:node:"):
        return Identity.NODE
    return Identity.CONTROL_PLANE if username.startswith("system:") else Identity.HUMAN


@dataclass(frozen=True, slots=True)
class SecretAccess:
    """Similar reads of Secrets. The name is empty for a list or watch, which reads every Secret of its namespace."""

    reader: Identity
    user: str
    impersonated: str
    verb: str
    namespace: str
    name: str
    allowed: bool
    source_ip: str
    user_agent: str
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class SecretsAnswer(Answer):
    """Who read which Secret: people first, then by falling count."""

    accesses: tuple[SecretAccess, ...]

    @property
    def found(self) -> bool:
        """Whether anybody read a Secret, or tried to."""
        return bool(self.accesses)


def secrets_need(namespace: str = "") -> Need:
    """Reads of Secrets. With a namespace: the reads in it, and the lists over all namespaces."""
    resources = (GroupResources("", ("secrets",)),)
    if not namespace:
        rule = PolicyRule(Level.METADATA, verbs=("get", "list", "watch"), resources=resources)
        return Need("reads of Secrets", (rule,), advice=(rule,))
    rules = (
        PolicyRule(Level.METADATA, verbs=("get",), resources=resources, namespaces=(namespace,)),
        PolicyRule(Level.METADATA, verbs=("list", "watch"), resources=resources, namespaces=(namespace, "")),
    )
    return Need(f"reads of Secrets in namespace {namespace}", rules, advice=rules)


def secrets(
    sightings: Iterable[Sighting],
    time: TimeRange = ANY_TIME,
    namespace: str = "",
) -> SecretsAnswer:
    """Who read Secrets, or tried to. With a namespace: only its Secrets, with reads across all namespaces."""
    watch = CoverageWatch(time)
    groups: Groups[tuple[Identity, str, str, str, str, str, bool, str, str]] = Groups()
    for sighting in one_per_request(each for each in watch.over(sightings) if reads_secrets(namespace, each.event)):
        event = sighting.event
        reference = event.object_ref
        if reference is None:
            continue
        groups.add(
            (
                identity(event.user.username),
                event.user.username,
                event.impersonated_user.username if event.impersonated_user else "",
                event.verb,
                reference.namespace,
                reference.name,
                event.code < 400,
                event.source_ips[0] if event.source_ips else "",
                event.user_agent,
            ),
            event,
        )
    order = list(Identity)
    found = [SecretAccess(*key, group.count, group.first, group.last) for key, group in groups.items()]
    found.sort(key=lambda access: (order.index(access.reader), -access.count, access.first))
    return SecretsAnswer(watch.result(), groups.left_out, tuple(found))


def reads_secrets(namespace: str, event: Event) -> bool:
    """Whether it is a read of Secrets: of any, or of those of a namespace."""
    reference = event.object_ref
    return (
        reference is not None
        and reference.resource == "secrets"
        and not reference.api_group
        and event.verb in _READS
        and (not namespace or reference.namespace in ("", namespace))
    )
