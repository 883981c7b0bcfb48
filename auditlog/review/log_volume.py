"""What two policies write of a recorded log."""

from __future__ import annotations

from dataclasses import dataclass

from auditlog.events.render import human_bytes
from auditlog.events.replay import ReplaySettings, replay
from auditlog.events.sources import LogSet
from auditlog.events.tally import NOTHING, Volume
from auditlog.policy.model import Policy


@dataclass(frozen=True, slots=True)
class LogVolume:
    """The log itself, and what each policy writes of it."""

    recorded: Volume
    old: Volume
    new: Volume
    unknown: int
    """How many things each policy writes for which the log does not show how much."""


def log_volume(logs: LogSet, old: Policy, new: Policy) -> LogVolume:
    """Replays the log under both policies."""
    reports = [replay(logs, ReplaySettings(policy=policy)) for policy in (old, new)]
    before, after = (report.written or NOTHING for report in reports)
    unknown = len({each for report in reports for each in report.cannot_tell})
    return LogVolume(reports[0].recorded, before, after, unknown)


def volume_line(volume: LogVolume) -> str:
    """One line: bytes before and after, and whether there is more that the log cannot tell."""
    share = "" if not volume.old.bytes else f" ({(volume.new.bytes - volume.old.bytes) / volume.old.bytes:+.0%})"
    more = "; what it does not have cannot be counted, `auditlog replay` names it" if volume.unknown else ""
    return (
        f"of the log's {volume.recorded.events} events: {human_bytes(volume.old.bytes)} before, "
        f"{human_bytes(volume.new.bytes)} now{share}{more}"
    )


def volume_value(volume: LogVolume | None) -> dict[str, object] | None:
    """The same for programs."""
    if volume is None:
        return None
    parts = {"recorded": volume.recorded, "old": volume.old, "new": volume.new}
    return {
        **{name: {"events": each.events, "bytes": each.bytes} for name, each in parts.items()},
        "unknown": volume.unknown,
    }
