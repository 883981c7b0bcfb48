"""What is wrong with a policy that an API server accepts.

Each module holds the checks of one family. `lint` runs them all; what somebody accepted stays in the result, marked.
"""

from __future__ import annotations

from collections.abc import Sequence

from auditlog.policy.lint import bodies, literals, names, reachability, recording, sessions, volume
from auditlog.policy.lint.finding import Check, Finding, Severity, context_of
from auditlog.policy.lint.silences import SUMMARIES, Silence, apply_silences, silences_in
from auditlog.policy.model import Policy

__all__ = ["CHECKS", "CHECK_SUMMARIES", "Check", "Finding", "Severity", "Silence", "lint"]

CHECKS: tuple[Check, ...] = tuple(
    check for family in (recording, reachability, bodies, sessions, names, literals, volume) for check in family.CHECKS
)
CHECK_SUMMARIES = {check.id: (check.severity, check.summary) for check in CHECKS} | {
    finding_id: (Severity.ERROR, summary) for finding_id, summary in SUMMARIES.items()
}
"""Severity and summary of everything that can be found, silences' own findings among them."""


def lint(
    policy: Policy,
    text: str,
    kubernetes_minor: int,
    *,
    audit_log_mode: str | None = None,
    silences: Sequence[Silence] = (),
) -> tuple[Finding, ...]:
    """Everything there is to say about a policy on Kubernetes 1.`kubernetes_minor`, in the order of its text.

    `text` is what the policy was read from, for the silences in its comments; `silences` are added to them.
    `audit_log_mode` is the API server's --audit-log-mode when it is known. Raises ValueError for a minor version other
    than 30 to 36.
    """
    context = context_of(policy, kubernetes_minor, audit_log_mode)
    findings = []
    for check in CHECKS:
        for hit in check.find(context):
            place = policy.locate(hit.path)
            finding = Finding(check.id, check.severity, hit.path, place.line, place.column, hit.reason, hit.fix)
            findings.append(finding)
    known = {check.id: check for check in CHECKS}
    findings = apply_silences(findings, (*silences_in(text, policy), *silences), known)
    return tuple(sorted(findings, key=lambda each: (each.line, each.column, each.id)))
