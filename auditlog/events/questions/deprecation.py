"""Who uses APIs that a release removes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from auditlog.events.coverage import ANY_TIME, CoverageWatch, TimeRange
from auditlog.events.event import Event, Sighting, resource_name
from auditlog.events.questions.common import Answer, Groups, one_per_request
from auditlog.policy.model import SUPPORTED_MINORS, GroupResources, Level, PolicyRule
from auditlog.policy.recording import Need
from auditlog.policy.resources import builtin_resources
from auditlog.policy.senders import CONTROL_PLANE, CONTROL_PLANE_GROUPS

_DEPRECATED_V1 = frozenset({("", "endpoints"), ("", "componentstatuses")})
"""Deprecated although they are at v1 (https://kubernetes.io/docs/reference/using-api/deprecation-guide/)."""


@dataclass(frozen=True, slots=True)
class DeprecatedUse:
    """Similar requests for an API that a release removes. `removed_release` is empty if the event names none."""

    removed_release: str
    api: str
    verb: str
    user: str
    user_agent: str
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class DeprecatedAnswer(Answer):
    """Who uses deprecated APIs, by the release that removes them, the earliest first.

    `own` are uses by the control plane itself. You need do nothing about them: an upgrade of Kubernetes ends them.
    """

    uses: tuple[DeprecatedUse, ...]
    own: tuple[DeprecatedUse, ...] = ()

    @property
    def found(self) -> bool:
        """Whether anybody but the control plane uses one."""
        return bool(self.uses)


def _never_deprecated() -> tuple[GroupResources, ...]:
    """The built-in resources that every supported version serves at v1 alone, by group, with their subresources."""
    served: dict[tuple[str, str], set[str]] = {}
    for minor in SUPPORTED_MINORS:
        for each in builtin_resources(minor):
            served.setdefault((each.group, each.resource), set()).update(each.versions)
    by_group: dict[str, list[str]] = {}
    for (group, resource), versions in served.items():
        if versions == {"v1"} and (group, resource) not in _DEPRECATED_V1:
            by_group.setdefault(group, []).append(f"{resource}/*")
    return tuple(GroupResources(group, tuple(resources)) for group, resources in by_group.items())


DEPRECATED_NEED = Need(
    "requests for deprecated APIs",
    (
        PolicyRule(Level.NONE, resources=_never_deprecated()),
        PolicyRule(Level.METADATA, resources=(GroupResources("*"),)),
    ),
    sent_by=lambda sender: sender.user is not None and not sender.is_control_plane,
    advice=(PolicyRule(Level.METADATA),),
    final=True,
)
"""All requests, except the control plane's own, for anything that has or had a deprecated version."""


def deprecated(sightings: Iterable[Sighting], time: TimeRange = ANY_TIME) -> DeprecatedAnswer:
    """Which deprecated APIs are used, and by whom (annotations k8s.io/deprecated and k8s.io/removed-release)."""
    watch = CoverageWatch(time)
    by_others: Groups[tuple[str, str, str, str, str]] = Groups()
    own: Groups[tuple[str, str, str, str, str]] = Groups()
    for sighting in one_per_request(each for each in watch.over(sightings) if uses_deprecated(each.event)):
        event = sighting.event
        reference = event.object_ref
        version = f" {reference.api_version}" if reference else ""
        is_own = event.user.username in CONTROL_PLANE or not CONTROL_PLANE_GROUPS.isdisjoint(event.user.groups)
        (own if is_own else by_others).add(
            (
                event.annotations.get("k8s.io/removed-release", ""),
                (resource_name(reference) or event.request_uri.partition("?")[0]) + version,
                event.verb,
                event.user.username,
                event.user_agent,
            ),
            event,
        )
    return DeprecatedAnswer(watch.result(), by_others.left_out, _uses(by_others), _uses(own))


def uses_deprecated(event: Event) -> bool:
    """Whether the request was for a deprecated API."""
    return event.annotations.get("k8s.io/deprecated") == "true"


def _uses(groups: Groups[tuple[str, str, str, str, str]]) -> tuple[DeprecatedUse, ...]:
    found = [DeprecatedUse(*key, group.count, group.first, group.last) for key, group in groups.items()]
    found.sort(key=lambda use: (_release(use.removed_release), -use.count, use.api))
    return tuple(found)


def _release(text: str) -> tuple[int, ...]:
    numbers = tuple(int(number) for number in re.findall(r"\d+", text))
    return numbers or (1_000_000,)
