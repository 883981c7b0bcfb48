"""Whether what ships the events finds them on the node."""

from __future__ import annotations

import dataclasses

from auditlog.checks.finding import Severity
from auditlog.checks.shipping import shipping_findings
from auditlog.manifest.backends import log_backend
from tests.unit.plan.nodes import applied

MOVED = dataclasses.replace(applied(), pod_logs="/data/pods")


def test_standard_output_that_kubelet_keeps_elsewhere_is_refused() -> None:
    log = log_backend({"audit-log-path": "-"}, 36)
    (finding,) = shipping_findings(log, MOVED)
    assert (finding.id, finding.severity) == ("pod-logs-elsewhere", Severity.ERROR)
    assert "keeps what containers write in /data/pods (podLogsDir)" in finding.what
    assert not list(shipping_findings(log, applied()))


def test_a_file_is_where_it_is_whatever_kubelet_does() -> None:
    assert not list(shipping_findings(log_backend({"audit-log-path": "/a.log"}, 36), MOVED))
    assert not list(shipping_findings(None, MOVED))
