"""Whether what ships the events finds them on the node."""

from __future__ import annotations

from collections.abc import Iterator

from auditlog.checks.finding import Finding, Severity
from auditlog.manifest.backends import LogBackend
from auditlog.node_paths import POD_LOGS
from auditlog.nodes.facts import Facts
from auditlog.settings import STDOUT


def shipping_findings(log: LogBackend | None, facts: Facts) -> Iterator[Finding]:
    """Alloy reads the containers' output where kubelet keeps it by default."""
    if log is not None and log.path == STDOUT and facts.pod_logs != POD_LOGS:
        yield Finding(
            "pod-logs-elsewhere",
            f"kubelet keeps what containers write in {facts.pod_logs} (podLogsDir), and Alloy reads {POD_LOGS}",
            "no event of the API server's standard output would arrive in Loki",
            Severity.ERROR,
            "give auditLog.path a file, or take podLogsDir out of kubelet's configuration",
        )
