"""What `auditlog detections --replay` found, as text and JSON, and what it cannot know."""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import timedelta

from auditlog.detections.cross_check import Sight, cross_check
from auditlog.detections.model import Detection
from auditlog.detections.rings import Replayed, labels_of, summary_of
from auditlog.events.coverage import Coverage
from auditlog.events.judgement import Known
from auditlog.events.layout import when
from auditlog.events.outcome import Verdict
from auditlog.events.reading import Damage

_NAMED = 5
"""How many of a kind are named in a doubt; all of them are counted."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What all detections would have rung, and why more may be missing. ``others`` were not run at all."""

    replayed: tuple[Replayed, ...]
    others: tuple[str, ...]
    doubts: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """Found, certainly none, or cannot be known: of detections on events."""
        if any(each.rings for each in self.replayed):
            return Verdict.FOUND
        return Verdict.UNKNOWN if self.doubts else Verdict.NONE


def doubts_of(
    detections: Sequence[Detection],
    known: Known,
    written: Set[str],
    coverage: Coverage,
    damage: Damage,
    missing: Sequence[str] = (),
) -> tuple[str, ...]:
    """Why something may have happened that the log does not show.

    ``written`` are the keys that annotations write, ``missing`` nodes without any event.
    """
    return (
        *_of_policy(detections, known, written),
        *_of_nodes(known, coverage, missing),
        *_of_time(coverage),
        *((f"{damage.count} places of the logs cannot be read",) if damage.count else ()),
    )


def _of_policy(detections: Sequence[Detection], known: Known, written: Set[str]) -> tuple[str, ...]:
    if known.policy is None:
        return ("what the policy records is not known; --policy or --stack names it",)
    found = cross_check(known.policy, detections, written)
    hidden = [each.detection.id for each in found if each.sight is not Sight.FULL]
    return (f"the policy hides all or a part of what these look for: {_named(hidden)}",) if hidden else ()


def _of_nodes(known: Known, coverage: Coverage, missing: Sequence[str]) -> tuple[str, ...]:
    seen = len(coverage.nodes)
    if missing:
        return (f"no event of {_named(missing)} is there",)
    if known.nodes is None:
        return (f"how many control-plane nodes there are is not known, {seen} were seen; --nodes or --stack says it",)
    return (f"events of {seen} of {known.nodes} control-plane nodes are there",) if seen < known.nodes else ()


def _of_time(coverage: Coverage) -> tuple[str, ...]:
    parts = [
        f"{part.node} from {when(part.start) if part.start else 'the beginning'} to "
        f"{when(part.end) if part.end else 'the end'}"
        for part in coverage.uncovered
    ]
    parts += [
        f"{node.node} for {timedelta(seconds=round(node.silent_seconds))} in all"
        for node in coverage.nodes
        if node.silences
    ]
    if not coverage.nodes:
        return ("the log has no event of this time",)
    return (f"silent: {_named(parts)}; a quiet time looks like a missing file",) if parts else ()


def _named(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def replay_text(replay: Replay) -> str:
    """A line for each alert that would have been, oldest first, and what is not certain."""
    lines = [
        f"{when(ring.first)}  {when(ring.last)}  {each.detection.severity.value:8}  {each.detection.id:32}  "
        f"{summary_of(each.detection, ring)}"
        for each, ring in sorted(
            ((each, ring) for each in replay.replayed for ring in each.rings), key=lambda pair: pair[1].first
        )
    ]
    count = len(lines)
    verdict = {
        Verdict.FOUND: f"{count} would have rung",
        Verdict.NONE: "Certainly none",
        Verdict.UNKNOWN: "Cannot be known",
    }
    lines += [*([""] if lines else []), f"{verdict[replay.verdict]}, of {len(replay.replayed)} detections on events."]
    lines += [f"More may be missing: {doubt}" for doubt in replay.doubts]
    lines.append(
        f"Not run: {_named(replay.others)}. They look at metrics or at silence; `auditlog gaps` finds silence."
    )
    return "\n".join([*lines, ""])


def replay_json(replay: Replay) -> str:
    """The same for programs."""
    value = {
        "outcome": replay.verdict.value,
        "rings": [
            {
                "detection": each.detection.id,
                "alert": each.detection.alert,
                "severity": each.detection.severity.value,
                "first": ring.first.isoformat(),
                "last": ring.last.isoformat(),
                "value": ring.value,
                "labels": labels_of(each.detection, ring),
                "summary": summary_of(each.detection, ring),
            }
            for each in replay.replayed
            for ring in each.rings
        ],
        "doubts": list(replay.doubts),
        "notRun": list(replay.others),
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
