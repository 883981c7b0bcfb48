"""Whether the log fits on its disk, version by version."""

from __future__ import annotations

import dataclasses

import pytest

from auditlog.checks.disk import disk_findings, disk_of
from auditlog.checks.finding import Finding, Severity
from auditlog.events.budget import Budget
from auditlog.manifest.backends import log_backend
from tests.unit.plan.nodes import applied

MB = 1024**2
PATH = {"audit-log-path": "/var/log/kubernetes/audit/audit.log"}
ROTATED = PATH | {"audit-log-maxbackup": "10", "audit-log-maxsize": "100"}


def found(flags: dict[str, str], minor: int, *, free: int, used: int = 0, size: int = 0) -> list[Finding]:
    facts = dataclasses.replace(applied(), log_free_bytes=free, log_used_bytes=used, log_size_bytes=size)
    return list(disk_findings(log_backend(flags, minor), facts))


def test_the_worst_case_is_all_rotated_files_and_the_open_one() -> None:
    assert found(ROTATED, 36, free=1100 * MB) == []
    (finding,) = found(ROTATED, 36, free=1099 * MB)
    assert (finding.id, finding.severity) == ("disk-too-small", Severity.ERROR)
    assert "100 MB x (10 + 1) files" in finding.what
    assert "has room for 1099 MB" in finding.what
    assert "lower --audit-log-maxbackup" in finding.remedy


def test_a_budget_is_what_is_to_be_lowered_where_the_flags_follow_from_one() -> None:
    facts = dataclasses.replace(applied(), log_free_bytes=1099 * MB, log_used_bytes=0)
    (finding,) = disk_findings(log_backend(ROTATED, 36), facts, Budget(30, 1100 * MB))
    assert finding.remedy == "lower auditLog.budget.size"


def test_what_the_log_takes_already_is_room_for_it() -> None:
    assert found(ROTATED, 36, free=100 * MB, used=1000 * MB) == []


@pytest.mark.parametrize(("minor", "finding"), [(35, "disk-unbounded"), (36, "disk-too-small")])
def test_what_unset_flags_mean_depends_on_the_version(minor: int, finding: str) -> None:
    assert [each.id for each in found(PATH, minor, free=10_000 * MB)] == [finding]


def test_the_defaults_of_1_36_are_said_to_be_defaults() -> None:
    (finding,) = found(PATH, 36, free=10_000 * MB)
    assert "100 MB x (100 + 1) files" in finding.what
    assert "--audit-log-maxbackup, --audit-log-maxsize by this version's default" in finding.what
    assert found(PATH, 36, free=10_100 * MB) == []


@pytest.mark.parametrize(("minor", "ids"), [(35, []), (36, ["disk-unbounded"])])
def test_a_size_of_0_turns_rotation_off_since_1_36_only(minor: int, ids: list[str]) -> None:
    flags = ROTATED | {"audit-log-maxsize": "0"}
    assert [each.id for each in found(flags, minor, free=10_000 * MB)] == ids


def test_a_full_log_that_leaves_kubelet_too_little_is_a_warning() -> None:
    size = 10_000 * MB
    assert found(ROTATED, 36, free=2600 * MB, size=size) == []
    (finding,) = found(ROTATED, 36, free=2599 * MB, size=size)
    assert (finding.id, finding.severity) == ("disk-tight", Severity.WARNING)
    assert "leaves 1499 MB free, 14 % of its file system" in finding.what
    assert "kubelet deletes images" in finding.consequence


def test_standard_output_has_no_disk() -> None:
    backend = log_backend({"audit-log-path": "-"}, 36)
    assert disk_of(backend, applied()) is None
    assert list(disk_findings(backend, applied())) == []
    assert disk_of(None, applied()) is None
