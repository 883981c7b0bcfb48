"""Who uses APIs that a release removes (004_b3f6e118a06daecc.txt)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from auditlog.events.coverage import ANY_TIME, CoverageWatch, TimeRange
from auditlog.events.event import Sighting, resource_name
from auditlog.events.questions.common import Answer, Groups, one_per_request


@dataclass(frozen=True, slots=True)
class DeprecatedUse:
    """Requests alike for an API that a release removes. `removed_release` is empty where the event names none."""

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
    """Who uses deprecated APIs, by the release that removes them, the earliest first."""

    uses: tuple[DeprecatedUse, ...]


def deprecated(sightings: Iterable[Sighting], time: TimeRange = ANY_TIME) -> DeprecatedAnswer:
    """Which deprecated APIs are used, and by whom (annotations k8s.io/deprecated and k8s.io/removed-release)."""
    watch = CoverageWatch(time)
    groups: Groups[tuple[str, str, str, str, str]] = Groups()
    for sighting in one_per_request(
        each for each in watch.over(sightings) if each.event.annotations.get("k8s.io/deprecated") == "true"
    ):
        event = sighting.event
        reference = event.object_ref
        version = f" {reference.api_version}" if reference else ""
        groups.add(
            (
                event.annotations.get("k8s.io/removed-release", ""),
                (resource_name(reference) or event.request_uri.partition("?")[0]) + version,
                event.verb,
                event.user.username,
                event.user_agent,
            ),
            event,
        )
    found = [DeprecatedUse(*key, group.count, group.first, group.last) for key, group in groups.items()]
    found.sort(key=lambda use: (_release(use.removed_release), -use.count, use.api))
    return DeprecatedAnswer(watch.result(), groups.left_out, tuple(found))


def _release(text: str) -> tuple[int, ...]:
    numbers = tuple(int(number) for number in re.findall(r"\d+", text))
    return numbers or (1_000_000,)
