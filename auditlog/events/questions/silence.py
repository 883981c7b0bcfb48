"""Where the log has gaps: the API server was down, or its audit backend."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditlog.events.coverage import ANY_TIME, SILENCE, Coverage, CoverageWatch, Silence, TimeRange
from auditlog.events.event import Sighting
from auditlog.events.questions.common import KEPT_ENTRIES, Answer


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which a node's API server wrote nothing."""

    node: str
    silence: Silence
    seconds: float
    others_wrote: bool | None
    """Whether another node wrote meanwhile.

    - True: that points at this node.
    - False: that points at the whole cluster, or at a policy that records little.
    - None: no other node's events reach over that time.
    """


@dataclass(frozen=True, slots=True)
class GapsAnswer(Answer):
    """The gaps longer than `threshold_seconds`, by node and time."""

    threshold_seconds: float
    gaps: tuple[Gap, ...]

    @property
    def found(self) -> bool:
        """Whether a node was silent. What that means depends on the policy (`auditlog.events.judgement`)."""
        return bool(self.gaps)


def gaps(
    sightings: Iterable[Sighting],
    time: TimeRange = ANY_TIME,
    threshold: timedelta = SILENCE,
) -> GapsAnswer:
    """Where each node's log is silent for longer than the threshold. The longest gaps are kept."""
    watch = CoverageWatch(time)
    moments = ((sighting.node, sighting.event.stage_timestamp) for sighting in watch.over(sightings))
    return gaps_between(moments, watch, threshold)


def gaps_between(moments: Iterable[tuple[str, datetime]], watch: CoverageWatch, threshold: timedelta) -> GapsAnswer:
    """The gaps between moments at which nodes wrote, each node's in order. `watch` must note these as they pass."""
    latest: dict[str, datetime] = {}
    longest: list[tuple[timedelta, str, datetime]] = []
    left_out = 0
    for node, moment in moments:
        before = latest.setdefault(node, moment)
        if moment <= before:
            continue
        latest[node] = moment
        if moment - before > threshold:
            heapq.heappush(longest, (moment - before, node, before))
            if len(longest) > KEPT_ENTRIES:
                heapq.heappop(longest)
                left_out += 1
    coverage = watch.result()
    found = sorted((node, start, length) for length, node, start in longest)
    silences = [(node, Silence(start, start + length)) for node, start, length in found]
    return GapsAnswer(
        coverage,
        left_out,
        threshold.total_seconds(),
        tuple(
            Gap(node, silence, silence.length.total_seconds(), _others_wrote(node, silence, silences, coverage))
            for node, silence in silences
        ),
    )


def _others_wrote(node: str, silence: Silence, silences: list[tuple[str, Silence]], coverage: Coverage) -> bool | None:
    others = [
        other.node
        for other in coverage.nodes
        if other.node != node and other.first <= silence.start and other.last >= silence.end
    ]
    if not others:
        return None
    silent = {other for other, theirs in silences if theirs.start <= silence.start and theirs.end >= silence.end}
    return any(other not in silent for other in others)
