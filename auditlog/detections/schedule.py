"""How often a detection on events is asked, and how far back each time.

Every evaluation reads everything that the log had in its window. A short interval under a long window reads each byte
many times.

- A detection of single events looks back as far as its last evaluation, and a minute more for events that arrive late.
- One that counts up to a threshold looks back over its whole window, at least twice in it. So a burst across the end of
  one evaluation is whole in another.
"""

from __future__ import annotations

from dataclasses import dataclass

from auditlog.detections.model import Detection, Events, Severity, Unannotated, Volume

LATE = 60
"""Seconds by which an event may arrive late and still be seen by the next evaluation. `auditlog detections --replay`
finds later ones."""

_TIMES_IN_A_WINDOW = 4
"""What counts the bytes of a day reads all of them each time, and they change little in an hour."""

_INTERVALS = {Severity.CRITICAL: 60, Severity.WARNING: 300, Severity.INFO: 900}


@dataclass(frozen=True, slots=True)
class Schedule:
    """Seconds between two evaluations, and how many of them one looks back."""

    interval: int
    window: int

    @property
    def readings(self) -> float:
        """How many times every byte of the log is read."""
        return self.window / self.interval


def schedule_of(detection: Detection) -> Schedule:
    """The schedule of a detection. One that is neither on events nor on their volume is asked every minute."""
    interval = _INTERVALS[detection.severity]
    source = detection.source
    if isinstance(source, Volume):
        return Schedule(source.window // _TIMES_IN_A_WINDOW, source.window)
    if isinstance(source, Unannotated):
        return Schedule(source.window, source.window)
    if not isinstance(source, Events):
        return Schedule(60, 60)
    if detection.threshold:
        # The interval divides the window: bursts of half a window are never cut.
        return Schedule(source.window // 2, source.window)
    interval = max(interval, source.window if source.window > max(_INTERVALS.values()) else 0)
    return Schedule(interval, interval + LATE)
