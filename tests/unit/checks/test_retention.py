"""Whether the rotated files outlast an outage of what ships them."""

from __future__ import annotations

import dataclasses

import pytest

from auditlog.checks.finding import Finding, Severity
from auditlog.checks.retention import retention_findings
from auditlog.events.budget import Budget
from auditlog.manifest.backends import log_backend
from auditlog.plan.plan import make_plan
from auditlog.settings import AlloyMode, AlloySettings, LokiSettings
from tests.unit.plan.nodes import OWNER, POLICY, applied, settings

MB = 1024**2
HOUR = 3600
PATH = {"audit-log-path": "/var/log/kubernetes/audit/audit.log"}
ROTATED = PATH | {"audit-log-maxbackup": "10", "audit-log-maxsize": "100", "audit-log-maxage": "30"}


def found(
    flags: dict[str, str], megabytes: int, hours: float, minor: int = 36, budget: Budget | None = None
) -> list[Finding]:
    facts = dataclasses.replace(applied(), log_written_bytes=megabytes * MB, log_written_seconds=int(hours * HOUR))
    return list(retention_findings(log_backend(flags, minor), budget, facts))


def test_a_thousand_megabytes_hold_a_day_at_forty_an_hour_and_no_longer_at_fifty() -> None:
    assert found(ROTATED, 80, 2) == []
    (finding,) = found(ROTATED, 100, 2)
    assert (finding.id, finding.severity) == ("retention-short", Severity.WARNING)
    assert finding.what == (
        "the node wrote 50 MB of events an hour, and 10 rotated files of 100 MB hold 20.0 hours of that"
    )


@pytest.mark.parametrize(
    ("budget", "keys"),
    [(None, "auditLog.maxBackup or auditLog.maxSize"), (Budget(30, 1100 * MB), "auditLog.budget.size")],
)
def test_the_remedy_names_the_key_that_decides(budget: Budget | None, keys: str) -> None:
    (finding,) = found(ROTATED, 100, 2, budget=budget)
    assert finding.remedy == f"raise {keys} to hold 24 hours, or record less"


@pytest.mark.parametrize(
    ("flags", "megabytes", "hours", "minor"),
    [
        (ROTATED, 10_000, 0.9, 36),  # less than an hour does not tell
        (ROTATED, 0, 5, 36),
        (ROTATED | {"audit-log-maxbackup": "0"}, 10_000, 2, 36),
        (ROTATED | {"audit-log-maxsize": "0"}, 10_000, 2, 36),
        (PATH, 10_000, 2, 35),  # this version keeps every file where no flag says otherwise
        (ROTATED | {"audit-log-path": "-"}, 10_000, 2, 36),
        ({}, 10_000, 2, 36),
    ],
)
def test_where_nothing_is_deleted_or_nothing_is_known_it_is_silent(
    flags: dict[str, str], megabytes: int, hours: float, minor: int
) -> None:
    assert found(flags, megabytes, hours, minor) == []


@pytest.mark.parametrize("mode", AlloyMode)
def test_a_preview_says_it_where_the_log_is_shipped(mode: AlloyMode) -> None:
    busy = dataclasses.replace(applied(), log_written_bytes=1000 * MB, log_written_seconds=2 * HOUR)
    loki = LokiSettings("https://loki.example.com")
    wanted = dataclasses.replace(settings(), loki=loki, alloy=AlloySettings(mode))
    (node,) = make_plan(wanted, POLICY, {"cp1": busy}, OWNER).nodes
    assert ("retention-short" in {finding.id for finding in node.warnings}) is (mode is not AlloyMode.OFF)


def test_a_preview_names_the_budget_where_the_stack_has_one() -> None:
    busy = dataclasses.replace(applied(), log_written_bytes=1000 * MB, log_written_seconds=2 * HOUR)
    wanted = dataclasses.replace(
        settings(), loki=LokiSettings("https://loki.example.com"), alloy=AlloySettings(AlloyMode.DAEMONSET)
    )
    assert wanted.log is not None
    wanted = dataclasses.replace(wanted, log=dataclasses.replace(wanted.log, budget=Budget(30, 1100 * MB)))
    (node,) = make_plan(wanted, POLICY, {"cp1": busy}, OWNER).nodes
    (finding,) = (each for each in node.warnings if each.id == "retention-short")
    assert "auditLog.budget.size" in finding.remedy
