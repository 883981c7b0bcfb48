"""What is wrong with a policy that an API server accepts.

Each module holds the checks of one family. `lint` runs them all; what somebody accepted stays in the result, marked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditlog.policy.lint import bodies, literals, names, reachability, reading, recording, sessions, volume
from auditlog.policy.lint.finding import Check, Context, Finding, Severity, context_of
from auditlog.policy.lint.silences import SUMMARIES, Silence, apply_silences, silences_in
from auditlog.policy.model import NEWEST_MINOR, Policy
from auditlog.policy.partition import partition

__all__ = [
    "CHECKS",
    "CHECK_SUMMARIES",
    "READING_IDS",
    "Check",
    "Finding",
    "Severity",
    "Silence",
    "lint",
    "reading_findings",
]

_FAMILIES = (reading, recording, reachability, bodies, sessions, names, literals, volume)
CHECKS: tuple[Check, ...] = tuple(check for family in _FAMILIES for check in family.CHECKS)
READING_IDS = frozenset(check.id for check in reading.CHECKS)
"""Findings about what the API server does not read; a policy with one is deployed only when it is silenced."""

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
    than 30 to 37.
    """
    context = context_of(policy, kubernetes_minor, audit_log_mode)
    findings = [finding for check in CHECKS for finding in _findings(check, context)]
    known = {check.id: check for check in CHECKS}
    findings = apply_silences(findings, (*silences_in(text, policy), *silences), known)
    return tuple(sorted(findings, key=lambda each: (each.line, each.column, each.id)))


def reading_findings(policy: Policy, text: str) -> tuple[Finding, ...]:
    """What the API server does not read of the policy, silenced where its text says so; no other check runs."""
    if not policy.ignored:
        return ()
    context = Context(policy, NEWEST_MINOR, None, partition([()]))
    findings = [finding for check in reading.CHECKS for finding in _findings(check, context)]
    silences = [silence for silence in silences_in(text, policy) if silence.reason]
    known = {silence.id: silence for silence in silences}
    marked = (each for each in apply_silences(findings, silences, known) if each.id in READING_IDS)
    return tuple(sorted(marked, key=lambda each: (each.line, each.column, each.id)))


def _findings(check: Check, context: Context) -> Iterator[Finding]:
    for hit in check.find(context):
        place = hit.place or context.policy.locate(hit.path)
        severity = hit.severity or check.severity
        yield Finding(check.id, severity, hit.path, place.line, place.column, hit.reason, hit.fix)
