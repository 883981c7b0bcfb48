"""Event sizes against batches and against the lines that Loki takes."""

from __future__ import annotations

import pytest

from auditlog.checks.event_size import batch_findings, line_findings
from auditlog.checks.finding import Severity
from auditlog.policy.validate import load_policy

FILE = {"audit-log-path": "/var/log/kubernetes/audit/audit.log"}
LOKI = 256 * 1024


def policy(level: str) -> str:
    return f"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: {level}\n"


def line_ids(flags: dict[str, str], level: str = "Request", limit: int | None = LOKI) -> list[str]:
    return [each.id for each in line_findings(flags, load_policy(policy(level), "test", 36), limit)]


@pytest.mark.parametrize("backend", ["log", "webhook"])
def test_an_event_that_is_larger_than_its_batch(backend: str) -> None:
    flags = {
        "audit-log-path": "-",
        "audit-webhook-config-file": "/etc/hook",
        f"audit-{backend}-truncate-max-event-size": "10485761",
    }
    (finding,) = batch_findings(flags)
    assert (finding.id, finding.severity) == ("event-larger-than-batch", Severity.ERROR)
    assert finding.what.startswith(f"--audit-{backend}-truncate-max-event-size is 10485761 bytes")
    raised = flags | {f"audit-{backend}-truncate-max-batch-size": "10485761"}
    assert list(batch_findings(raised)) == []


def test_sizes_of_a_backend_that_is_off_do_not_count() -> None:
    assert list(batch_findings(FILE | {"audit-webhook-truncate-max-event-size": "10485761"})) == []


def test_bodies_without_truncating_may_be_longer_than_a_line() -> None:
    assert line_ids(FILE) == ["event-unlimited"]
    assert line_ids(FILE | {"audit-log-truncate-enabled": "true"}) == []


def test_an_event_limit_above_the_line_limit() -> None:
    flags = FILE | {"audit-log-truncate-enabled": "", "audit-log-truncate-max-event-size": str(LOKI + 1)}
    assert line_ids(flags) == ["event-larger-than-line"]
    assert line_ids(flags | {"audit-log-truncate-max-event-size": str(LOKI)}) == []


@pytest.mark.parametrize(
    ("flags", "level", "limit"),
    [(FILE, "Metadata", LOKI), (FILE, "Request", None), ({"audit-log-path": "-"}, "Request", LOKI)],
)
def test_what_never_becomes_a_long_line(flags: dict[str, str], level: str, limit: int | None) -> None:
    assert line_ids(flags, level, limit) == []
