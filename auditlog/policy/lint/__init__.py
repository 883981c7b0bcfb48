"""What is wrong with a policy that an API server accepts.

Each module holds the checks of one family. `lint` runs them all; what somebody accepted stays in the result, marked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from auditlog.policy.lint import (
    bodies,
    identities,
    literals,
    names,
    reachability,
    reading,
    recording,
    sessions,
    tokens,
    volume,
)
from auditlog.policy.lint.finding import SUBJECT, Check, Context, Finding, Severity, context_of, listed
from auditlog.policy.lint.silences import SUMMARIES, Silence, apply_silences, silences_in
from auditlog.policy.model import NEWEST_MINOR, Policy, Position
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

_FAMILIES = (reading, recording, reachability, bodies, sessions, tokens, identities, names, literals, volume)
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
    known = {check.id: check for check in CHECKS}
    return _judged(CHECKS, context, (*silences_in(text, policy), *silences), known)


def reading_findings(policy: Policy, text: str) -> tuple[Finding, ...]:
    """What the API server does not read of the policy, silenced where its text says so; no other check runs."""
    if not policy.ignored:
        return ()
    context = Context(policy, NEWEST_MINOR, None, partition([()]))
    silences = [silence for silence in silences_in(text, policy) if silence.reason]
    found = _judged(reading.CHECKS, context, silences, {silence.id: silence for silence in silences})
    return tuple(each for each in found if each.id in READING_IDS)


def _judged(
    checks: Sequence[Check], context: Context, silences: Sequence[Silence], known_ids: Mapping[str, object]
) -> tuple[Finding, ...]:
    """What the checks find in the order of the text, the accepted ones marked, one finding for one cause."""
    hits = [(check, hit) for check in checks for hit in check.find(context)]
    subjects: dict[Finding, str] = {}
    findings = []
    for check, hit in hits:
        place = hit.place or context.policy.locate(hit.path)
        severity = hit.severity or check.severity
        finding = Finding(check.id, severity, hit.path, place.line, place.column, hit.reason, hit.fix)
        subjects[finding] = f"{subjects[finding]}{SUBJECT}{hit.subject}" if finding in subjects else hit.subject
        findings.append(finding)
    marked = apply_silences(list(dict.fromkeys(findings)), silences, known_ids)
    by_cause: dict[tuple[object, ...], list[Finding]] = {}
    for each in sorted(marked, key=lambda each: (each.line, each.column, each.id)):
        by_cause.setdefault((each.id, each.severity, each.reason, each.fix, each.silenced), []).append(each)
    merged = [_merged(same, subjects) for same in by_cause.values()]
    return tuple(sorted(merged, key=lambda each: (each.line, each.column, each.id)))


def _merged(same: Sequence[Finding], subjects: Mapping[Finding, str]) -> Finding:
    first = same[0]
    unmarked = (replace(each, silenced=None, silenced_line=0) for each in same)
    about = dict.fromkeys(name for each in unmarked for name in subjects.get(each, "").split(SUBJECT))
    places = dict.fromkeys(Position(each.line, each.column) for each in same)
    also = tuple(place for place in places if place != Position(first.line, first.column))
    return replace(first, reason=first.reason.replace(SUBJECT, listed(about)), also=also)
