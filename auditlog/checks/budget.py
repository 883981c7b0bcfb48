"""Whether a node keeps its log for as long as the budget promises, at the rate at which it writes now."""

from __future__ import annotations

from collections.abc import Iterator

from auditlog.checks.finding import Finding, Severity
from auditlog.checks.retention import MEASURED_SECONDS
from auditlog.events.budget import MEGABYTE, Budget
from auditlog.manifest.backends import LogBackend
from auditlog.nodes.facts import Facts
from auditlog.settings import STDOUT
from auditlog.units import DAY

MISSED = "does not meet auditLog.budget"
"""What a finding says where the budget is missed; `auditlog summary --expect-budget` looks for it."""

_UNKNOWN_CALLER = "which caller makes most of it cannot be known from file sizes; `auditlog tune` reads it from the log"


def budget_findings(
    log: LogBackend | None, budget: Budget | None, facts: Facts, *, changes_policy: bool
) -> Iterator[Finding]:
    """Whether the budget is met, in days; or that nobody can know it yet, because the log is too short.

    ``changes_policy`` says whether the node gets another policy, so that the files on it have another rate.
    """
    if log is None or budget is None or log.path == STDOUT:
        return
    wanted = f"{budget.days:g} days in {budget.bytes // MEGABYTE} MB"
    if facts.log_written_seconds < MEASURED_SECONDS or not facts.log_written_bytes:
        yield Finding(
            "budget-unknown",
            f"whether the log meets auditLog.budget ({wanted}) cannot be known: the node has less than an hour of it",
            "",
            Severity.NOTE,
        )
        return
    per_day = facts.log_written_bytes / facts.log_written_seconds * DAY
    days = budget.bytes / per_day
    rate = f"the node writes {per_day / MEGABYTE:.0f} MB of events a day"
    if changes_policy:
        rate += " under its present policy (`auditlog diff --log` estimates the new one)"
    if days >= budget.days:
        yield Finding("budget-met", f"{rate}: auditLog.budget holds {days:.0f} days of it", "", Severity.NOTE)
        return
    yield Finding(
        "budget-missed",
        f"{rate}, which {MISSED} ({wanted}): it holds {days:.1f} days of that",
        "older events are deleted",
        remedy=f"{_UNKNOWN_CALLER}, and finds what to record less; or raise auditLog.budget.size",
    )
