"""Whether the files on a node outlast an outage of what ships them: until then they are the only copy."""

from __future__ import annotations

from collections.abc import Iterator

from auditlog.checks.finding import Finding
from auditlog.events.budget import MEGABYTE, Budget
from auditlog.manifest.backends import LogBackend
from auditlog.nodes.facts import Facts
from auditlog.settings import STDOUT
from auditlog.units import DAY, HOUR

OUTAGE_HOURS = 24
"""How long Loki, or Alloy, may be away without a loss: what breaks in the evening is fixed the next day."""

MEASURED_SECONDS = HOUR
"""A log of less time does not show how much is written in a day."""


def retention_findings(log: LogBackend | None, budget: Budget | None, facts: Facts) -> Iterator[Finding]:
    """The rotated files that the flags keep, at the rate at which this node wrote its log so far.

    The file that is being written does not count: it may have been rotated just now. Size is that before compression.
    ``budget`` is the one that the flags follow, None for flags that are given themselves.
    """
    if log is None or log.path == STDOUT or facts.log_written_seconds < MEASURED_SECONDS:
        return
    if log.max_size is None or log.max_backup == 0 or facts.log_written_bytes == 0:
        return  # nothing is deleted, or nothing is written
    # Age counts in days from the rotation on, so it deletes nothing within the outage that is looked at.
    megabytes_an_hour = facts.log_written_bytes / MEGABYTE * HOUR / facts.log_written_seconds
    hours = log.max_size * log.max_backup / megabytes_an_hour
    if hours < OUTAGE_HOURS:
        keys = "auditLog.maxBackup or auditLog.maxSize" if budget is None else "auditLog.budget.size"
        yield Finding(
            "retention-short",
            f"the node wrote {megabytes_an_hour:.0f} MB of events an hour, and {log.max_backup} rotated files of "
            f"{log.max_size} MB hold {hours:.1f} hours of that",
            "when Loki or Alloy is away for longer than that, events are deleted before they are sent",
            remedy=f"raise {keys} to hold {OUTAGE_HOURS} hours, or record less",
        )


def days_held(log: LogBackend, facts: Facts) -> float | None:
    """How many days the rotated files hold at the rate so far; None where that is not known."""
    if facts.log_written_seconds < MEASURED_SECONDS or facts.log_written_bytes == 0 or log.max_size is None:
        return None
    if log.max_backup == 0:
        return None
    days = log.max_size * MEGABYTE * log.max_backup / facts.log_written_bytes * facts.log_written_seconds / DAY
    return min(days, float(log.max_age)) if log.max_age else days
