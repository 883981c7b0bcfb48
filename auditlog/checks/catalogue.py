"""All checks together: of a node as it is, and of a node as a plan leaves it."""

from __future__ import annotations

from auditlog.checks.answering import answering
from auditlog.checks.api_server import ApiServer
from auditlog.checks.budget import budget_findings
from auditlog.checks.disk import disk_findings
from auditlog.checks.event_size import batch_findings, line_findings
from auditlog.checks.finding import Finding
from auditlog.checks.flags import flag_findings
from auditlog.checks.flagz import flagz_findings
from auditlog.checks.kubeadm_config import kubeadm_config_findings
from auditlog.checks.mounts import missing_policy, mount_findings
from auditlog.checks.node_state import forgotten, kind_of_node, kubelet, pipes, strays, unfinished
from auditlog.checks.policy_folder import policy_folder_findings
from auditlog.checks.process import process_findings
from auditlog.checks.retention import retention_findings
from auditlog.checks.shipping import shipping_findings
from auditlog.events.budget import Budget
from auditlog.manifest.backends import log_backend
from auditlog.policy.model import Policy


def live_findings(server: ApiServer) -> tuple[Finding, ...]:
    """Everything about a node as it is."""
    return (
        *flag_findings(server),
        *batch_findings(server.flags),
        *kind_of_node(server.facts),
        *kubelet(server.facts),
        *strays(server.facts),
        *pipes(server.facts),
        *unfinished(server.facts),
        *forgotten(server.facts),
        *mount_findings(server),
        *missing_policy(server),
        *process_findings(server),
        *flagz_findings(server),
        *policy_folder_findings(server.facts),
        *answering(server.facts),
        *kubeadm_config_findings(server.facts, server.flags),
        *disk_findings(log_backend(server.flags, server.minor), server.facts),
    )


def planned_findings(
    server: ApiServer,
    policy: Policy,
    max_line_bytes: int | None,
    budget: Budget | None = None,
    *,
    admission_policies: str = "",
    ships: bool = False,
    changes_policy: bool = False,
) -> tuple[Finding, ...]:
    """Everything about a node whose manifest becomes that of ``server``, with this policy.

    ``max_line_bytes`` is what Loki accepts, None without one; ``ships`` says whether the stack sends the log there.
    ``admission_policies`` is the stack's file of those, as the node will have it, empty without one. ``budget`` is what
    the stack promises of the log; ``changes_policy`` says whether the node has another policy now.
    """
    log = log_backend(server.flags, server.minor)
    return (
        *answering(server.facts),
        *forgotten(server.facts),
        *flag_findings(server),
        *batch_findings(server.flags),
        *line_findings(server.flags, policy, max_line_bytes),
        *mount_findings(server),
        *policy_folder_findings(server.facts, admission_policies),
        *disk_findings(log, server.facts, budget),
        *budget_findings(log, budget, server.facts, changes_policy=changes_policy),
        *((*retention_findings(log, budget, server.facts), *shipping_findings(log, server.facts)) if ships else ()),
    )
