"""What a change of the policy on a node means, for the person who reads a preview."""

from __future__ import annotations

from functools import cache

from auditlog.policy.difference import difference, to_text
from auditlog.policy.lint import Severity, lint
from auditlog.policy.model import PolicyError
from auditlog.policy.validate import policy_as_read

MOST_LINES = 40


@cache  # the nodes of a cluster mostly have the same policy
def describe_change(
    live: str | None, desired: str, kubernetes_minor: int, audit_log_mode: str | None = None
) -> tuple[str, ...]:
    """Lines that say what the desired policy's weak points are and which requests it decides unlike the live one.

    ``live`` is the text on the node, None if there is none; both texts are policies, ``desired`` a valid one on
    Kubernetes 1.``kubernetes_minor``. ``audit_log_mode`` is that of the log backend, None without one. At most
    ``MOST_LINES`` differences are told, then how many more there are.
    """
    policy = policy_as_read(desired, "the policy")
    lines = [
        f"policy line {finding.line}: {finding.severity.value}: {finding.reason} [{finding.id}]"
        for finding in lint(policy, desired, kubernetes_minor, audit_log_mode=audit_log_mode)
        if finding.silenced is None and finding.severity.rank >= Severity.WARNING.rank
    ]
    if live is None:
        return tuple(lines)
    try:
        decisions = to_text(difference(policy_as_read(live, "the live policy"), policy)).splitlines()
    except PolicyError:
        return (*lines, "the policy on the node cannot be read, so the decisions cannot be compared")
    lines += [f"decision: {line}" for line in decisions[:MOST_LINES]]
    if len(decisions) > MOST_LINES:
        lines.append(f"and {len(decisions) - MOST_LINES} more; all of them: auditlog diff OLD NEW")
    return tuple(lines)
