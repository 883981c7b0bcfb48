"""Whether the API server answers at all: while it restarts, kubectl's words lead astray."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from auditlog.checks.finding import Finding
from auditlog.checks.process import no_process
from auditlog.node_paths import ADMIN_KUBECONFIG, api_server_logs
from auditlog.nodes.fact_types import Health, SignKind
from auditlog.nodes.facts import Facts

_SILENT = re.compile(
    r"connection refused|was refused|i/o timeout|handshake timeout|\bEOF\b|deadline exceeded|connection lost"
    r"|connection reset|no route to host|\(ServiceUnavailable\)|\(Timeout\)|not ready|timed out"
)
"""What kubectl says when nobody answers. A certificate that is refused, or a name without an address, is none of it."""


def unanswered(facts: Facts) -> Finding | None:
    """Why the node's API server did not answer when it was asked for kubeadm-config.

    None where it answered, where it was not asked, and where kubectl failed for its own reason.
    """
    if facts.kubeadm_config is not None and not facts.kubeadm_config.stale:
        return None
    change = "; a change of this node by pulumi is under way, or was cut off" if facts.unfinished_change else ""
    if not facts.processes:
        found = no_process(facts.pod_logs)
        return replace(found, what=found.what + change)
    if not _SILENT.search(facts.kubeadm_config_error or ""):
        return None
    if any(sign.kind is SignKind.API and sign.health is Health.OK for sign in facts.cluster):
        return Finding(
            "endpoint-silent",
            "the cluster's endpoint does not answer, though the API server of this node does "
            f"({facts.kubeadm_config_error})",
            "clients find no API server, and kubeadm-config cannot be read",
            remedy=f"fix the load balancer, or what server: in {ADMIN_KUBECONFIG} names",
        )
    started = datetime.fromtimestamp(max(process.started for process in facts.processes), UTC)
    return Finding(
        "api-server-silent",
        f"the API server does not answer, though its process has run since {started:%Y-%m-%d %H:%M:%S} UTC{change}",
        "it is starting, or hangs",
        remedy="run again when it answers (kubectl get --raw /readyz); its last words are in "
        f"{api_server_logs(facts.pod_logs)}",
    )


def answering(facts: Facts) -> Iterator[Finding]:
    """Whether a process runs that does not answer; that none runs is a finding of the process."""
    found = unanswered(facts)
    if found is not None and facts.processes:
        yield found
