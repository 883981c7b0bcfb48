"""Whether the running API server does what the files on its node say."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from auditlog.checks.api_server import ApiServer
from auditlog.checks.finding import Finding
from auditlog.manifest import manifest
from auditlog.manifest.admission_configuration import ADMISSION_FLAG, ADMISSION_PATH
from auditlog.manifest.audit_flags import POLICY_FLAG, WEBHOOK_FLAG
from auditlog.node_paths import MANIFEST, api_server_logs
from auditlog.nodes.fact_types import Process


class Lag(StrEnum):
    """In what the process is behind its files."""

    NO_PROCESS = "no API server runs"
    OTHER_ARGUMENTS = "the running API server has other arguments than the manifest"
    OLDER_THAN_POLICY = "the running API server is older than its policy file"
    OLDER_THAN_WEBHOOK = "the running API server is older than its webhook's kubeconfig"
    OLDER_THAN_ADMISSION = "the running API server is older than its admission configuration"


def process_lag(server: ApiServer) -> Lag | None:
    """In what the node's process is behind the live manifest ``server`` and the files it names; None if in nothing.

    It reads those files only at its start. A process that started before the last write of one has read another text.
    If the manifest names the hash of the present text, kubelet started the process because of it.
    """
    facts = server.facts
    if not facts.processes:
        return Lag.NO_PROCESS
    matching = [process for process in facts.processes if process.arguments == server.arguments]
    if not matching:
        return Lag.OTHER_ARGUMENTS
    started = max(process.started for process in matching)
    policy = facts.policy.hashed if facts.policy else None
    is_ours = server.flags.get(ADMISSION_FLAG) == ADMISSION_PATH
    admission = facts.admission.hashed if facts.admission and is_ours else None
    for lag, flag, file, named in (
        (Lag.OLDER_THAN_POLICY, POLICY_FLAG, policy, manifest.policy_annotation(server.text)),
        (Lag.OLDER_THAN_WEBHOOK, WEBHOOK_FLAG, facts.webhook, manifest.webhook_annotation(server.text)),
        (Lag.OLDER_THAN_ADMISSION, ADMISSION_FLAG, admission, manifest.admission_annotation(server.text)),
    ):
        if flag in server.flags and file is not None and named != file.sha256 and started < file.modified:
            return lag
    return None


def process_findings(server: ApiServer) -> Iterator[Finding]:
    """What ``process_lag`` leads to."""
    match process_lag(server):
        case Lag.NO_PROCESS:
            yield no_process(server.facts.pod_logs)
        case Lag.OTHER_ARGUMENTS:
            yield _other_arguments(server, max(server.facts.processes, key=lambda process: process.started))
        case Lag.OLDER_THAN_POLICY:
            yield Finding(
                "process-older-than-policy",
                "the policy file changed after the API server started, which reads it only at its start",
                "the policy in the file takes effect only with the next restart",
            )
        case Lag.OLDER_THAN_WEBHOOK:
            yield Finding(
                "process-older-than-webhook",
                "the webhook's kubeconfig changed after the API server started, which reads it only at its start",
                "until the next restart, events go to the earlier server with the earlier credentials",
            )
        case Lag.OLDER_THAN_ADMISSION:
            yield Finding(
                "process-older-than-admission",
                "the admission configuration changed after the API server started, which reads it only at its start",
                "it takes effect only with the next restart",
            )


def no_process(pod_logs: str) -> Finding:
    """No API server runs, and neither file says why. ``pod_logs`` is where kubelet keeps what containers write."""
    return Finding(
        "no-process",
        "no API server runs on this node",
        "it is down or just starting",
        remedy="kubelet's log says why (journalctl -u kubelet), and the API server's own last words are in "
        f"{api_server_logs(pod_logs)}",
    )


def _other_arguments(server: ApiServer, process: Process) -> Finding:
    running, flags = manifest.flag_values(process.arguments), server.flags
    changes = [
        flag_text(name, flags.get(name)) if name in flags else f"no --{name}"
        for name in sorted({*running, *flags})
        if running.get(name) != flags.get(name)
    ]
    effect = ", ".join(changes) or "the same in another order"
    return Finding(
        "process-differs",
        f"the running API server has other arguments than {MANIFEST}",
        f"kubelet has not applied the file, or applies it at the next restart: {effect}",
    )


def flag_text(name: str, value: str | None) -> str:
    """A flag as a person writes it."""
    return f"--{name}={value}" if value else f"--{name}"
