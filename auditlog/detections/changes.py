"""What another policy makes of the detections: which can fire no more, which see less, which see more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auditlog.detections.cross_check import Finding, Sight, cross_check
from auditlog.detections.model import Detection
from auditlog.policy.model import Policy

_MOST_NAMES = 4
_ORDER = (Sight.BLIND, Sight.NO_BODIES, Sight.FALSE_ALARMS, Sight.PARTIAL, Sight.FULL, Sight.INDEPENDENT)
_WORDS = {
    Sight.BLIND: "can never fire any more",
    Sight.NO_BODIES: "can never fire any more",
    Sight.FALSE_ALARMS: "have false alarms now",
    Sight.PARTIAL: "see only a part now",
    Sight.FULL: "see all now",
}


@dataclass(frozen=True, slots=True)
class SightChange:
    """Detections that come to see something else. `is_worse`: less than before."""

    what: str
    detections: tuple[str, ...]
    is_worse: bool


def sight_changes(old: Policy, new: Policy, detections: Sequence[Detection]) -> tuple[SightChange, ...]:
    """What changes for the detections, what is worse first."""
    found: dict[tuple[bool, str], list[str]] = {}
    for before, after in zip(cross_check(old, detections), cross_check(new, detections), strict=True):
        if _WORDS.get(before.sight) != _WORDS.get(after.sight):
            is_worse = _ORDER.index(after.sight) < _ORDER.index(before.sight)
            found.setdefault((is_worse, _word(after, is_worse=is_worse)), []).append(after.detection.id)
    changes = (SightChange(what, tuple(names), is_worse) for (is_worse, what), names in found.items())
    return tuple(sorted(changes, key=lambda each: (not each.is_worse, each.what)))


def _word(finding: Finding, *, is_worse: bool) -> str:
    return "see a part now" if finding.sight is Sight.PARTIAL and not is_worse else _WORDS[finding.sight]


def sight_lines(changes: Iterable[SightChange], count: int) -> list[str]:
    """A line for each change; `count` is how many detections there are."""
    return [f"{len(each.detections)} of {count} detections {each.what}: {_some(each.detections)}" for each in changes]


def _some(names: Sequence[str]) -> str:
    if len(names) <= _MOST_NAMES + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_MOST_NAMES])} and {len(names) - _MOST_NAMES} more"
