"""What another policy makes of the detections: which can fire no more, which see less, which see more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from auditlog.detections.cross_check import Sight, sights
from auditlog.detections.model import Detection, Events
from auditlog.policy.model import Policy

_MOST_NAMES = 4
_ORDER = (
    Sight.BLIND,
    Sight.NO_BODIES,
    Sight.FALSE_ALARMS,
    Sight.PARTIAL,
    Sight.FULL,
    Sight.UNNEEDED,
    Sight.INDEPENDENT,
)
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


def sight_changes(
    old: Policy, new: Policy, detections: Sequence[Detection], written: Set[str] = frozenset()
) -> tuple[SightChange, ...]:
    """What changes for the detections, what is worse first. `written` are the keys that annotations write."""
    found: dict[tuple[bool, str], list[str]] = {}
    seen = zip(detections, sights(old, detections, written), sights(new, detections, written), strict=True)
    for detection, before, after in seen:
        if _WORDS.get(before) != _WORDS.get(after):
            is_worse = _ORDER.index(after) < _ORDER.index(before)
            found.setdefault((is_worse, _word(after, is_worse=is_worse)), []).append(detection.id)
    changes = (SightChange(what, tuple(names), is_worse) for (is_worse, what), names in found.items())
    return tuple(sorted(changes, key=lambda each: (not each.is_worse, each.what)))


def _word(sight: Sight, *, is_worse: bool) -> str:
    return "see a part now" if sight is Sight.PARTIAL and not is_worse else _WORDS[sight]


def sight_lines(changes: Iterable[SightChange], count: int) -> list[str]:
    """A line for each change; `count` is how many detections there are."""
    return [f"{len(each.detections)} of {count} detections {each.what}: {_some(each.detections)}" for each in changes]


def blind_line(policy: Policy, detections: Sequence[Detection], written: Set[str] = frozenset()) -> str:
    """Which detections never see what they look at, in one line: neither bodies nor annotations; empty for none."""
    looking = [each for each in detections if isinstance(each.source, Events) and each.source.annotated is not None]
    seen = zip(looking, sights(policy, looking, written), strict=True)
    blind = [detection.id for detection, sight in seen if sight is Sight.NO_BODIES]
    if not blind:
        return ""
    why = "neither bodies nor annotations (annotations.delivery) say what was written"
    return f"{len(blind)} of {len(detections)} detections can never fire, as {why}: {_some(blind)}"


def _some(names: Sequence[str]) -> str:
    if len(names) <= _MOST_NAMES + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_MOST_NAMES])} and {len(names) - _MOST_NAMES} more"
