"""Which files of its log the API server itself deletes."""

from __future__ import annotations

from auditlog.ledger.files import Kind, Reading
from auditlog.units import DAY


def retention_may_have_taken(reading: Reading) -> bool | None:
    """Whether the API server may have deleted files before the oldest one. None if its limits are not known."""
    limits, rotated = reading.limits, [each for each in reading.files if each.kind is Kind.ROTATED]
    if limits.max_backup is None and limits.max_age is None:
        return None
    oldest = reading.oldest
    too_many = bool(limits.max_backup) and len(rotated) >= (limits.max_backup or 0)
    # A day's slack: it deletes when it rotates.
    too_old = bool(limits.max_age) and (
        oldest is None or reading.clock - oldest.timestamp() >= ((limits.max_age or 0) - 1) * DAY
    )
    return too_many or too_old
