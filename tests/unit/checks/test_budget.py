"""Whether a node keeps its log for as long as the budget promises, at the rate at which it writes now."""

from __future__ import annotations

import dataclasses

from auditlog.checks.budget import MISSED, budget_findings
from auditlog.checks.finding import Finding, Severity
from auditlog.events.budget import Budget
from auditlog.manifest.backends import log_backend
from auditlog.plan.plan import make_plan
from auditlog.settings import LogSettings
from tests.unit.plan.nodes import OWNER, POLICY, applied, settings

MB = 1024**2
HOUR = 3600
BUDGET = Budget(30, 7200 * MB)
FLAGS = {"audit-log-path": "/var/log/kubernetes/audit/audit.log"}


def found(megabytes: int, hours: float, *, changes_policy: bool = False) -> list[Finding]:
    facts = dataclasses.replace(applied(), log_written_bytes=megabytes * MB, log_written_seconds=int(hours * HOUR))
    return list(budget_findings(log_backend(FLAGS, 36), BUDGET, facts, changes_policy=changes_policy))


def test_ten_megabytes_an_hour_meet_it_and_twenty_do_not() -> None:
    (met,) = found(20, 2)
    assert (met.id, met.severity) == ("budget-met", Severity.NOTE)
    assert str(met) == "the node writes 240 MB of events a day: auditLog.budget holds 30 days of it"
    (missed,) = found(40, 2)
    assert (missed.id, missed.severity) == ("budget-missed", Severity.WARNING)
    assert MISSED in missed.what
    assert "480 MB of events a day" in missed.what
    assert "it holds 15.0 days" in missed.what
    assert "`auditlog tune`" in missed.remedy


def test_less_than_an_hour_of_log_tells_nothing() -> None:
    (unknown,) = found(1000, 0.9)
    assert (unknown.id, unknown.severity) == ("budget-unknown", Severity.NOTE)
    assert "cannot be known" in unknown.what


def test_the_rate_is_that_of_the_policy_that_the_node_has() -> None:
    (met,) = found(20, 2, changes_policy=True)
    assert "under its present policy" in met.what


def test_nothing_is_said_without_a_budget_or_a_file() -> None:
    facts = dataclasses.replace(applied(), log_written_bytes=MB, log_written_seconds=5 * HOUR)
    assert not list(budget_findings(log_backend(FLAGS, 36), None, facts, changes_policy=False))
    assert not list(budget_findings(log_backend({"audit-log-path": "-"}, 36), BUDGET, facts, changes_policy=False))


def test_a_plan_says_it_of_each_node() -> None:
    busy = dataclasses.replace(applied(), log_written_bytes=40 * MB, log_written_seconds=2 * HOUR)
    wanted = dataclasses.replace(settings(), log=LogSettings(budget=BUDGET))
    (node,) = make_plan(wanted, POLICY, {"cp1": busy}, OWNER).nodes
    assert "budget-missed" in {finding.id for finding in node.warnings}
