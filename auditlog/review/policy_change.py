"""What a change of the policy means, for the person who reads a preview, a pull request or `diff`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.changes import SightChange, blind_line, sight_changes, sight_lines
from auditlog.policy import cis
from auditlog.policy.lint import Severity, lint
from auditlog.policy.model import Policy, PolicyError
from auditlog.policy.summary import Summary, summarize, to_json, to_lines
from auditlog.policy.validate import policy_as_read

MOST_LINES = 25
NO_DIFFERENCE = "No difference: the same is written of every request."


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What there is to say about two policies: requests, detections, and the checks of the CIS benchmark."""

    summary: Summary
    sights: tuple[SightChange, ...]
    fails: tuple[str, ...]
    """Checks that held and fail now."""
    holds: tuple[str, ...]
    """Checks that failed and hold now."""

    def lines(self) -> list[str]:
        """At most 25 lines less one, what is recorded less first; the last one is for a log's volume."""
        if not self.summary:
            return [NO_DIFFERENCE]
        lines = [*to_lines(self.summary), *sight_lines(self.sights, len(DETECTIONS))]
        for words, titles in (("fails", self.fails), ("holds", self.holds)):
            if titles:
                lines.append(f"CIS {words} now: {'; '.join(titles)}")
        return lines

    def value(self) -> dict[str, object]:
        """The same for programs, with every part of every sentence."""
        sights = [
            {"detections": list(each.detections), "what": each.what, "isWorse": each.is_worse} for each in self.sights
        ]
        benchmark = {"fails": list(self.fails), "holds": list(self.holds)}
        return {**to_json(self.summary), "detections": sights, "cis": benchmark}


@cache  # the nodes of a cluster mostly have the same policy
def policy_change(old: Policy, new: Policy, written: frozenset[str] = frozenset()) -> PolicyChange:
    """What the new policy decides differently, and what that does to detections and checks.

    ``written`` are the keys that annotations write into events, under both policies.
    """
    summary = summarize(old, new)
    if not summary:
        return PolicyChange(summary, (), (), ())
    before, after = ({each.title: each for each in cis.check(policy, in_words=False)} for policy in (old, new))
    titles = [f"{each.control} {title}" for title, each in before.items() if each.passed and not after[title].passed]
    better = [f"{each.control} {title}" for title, each in after.items() if each.passed and not before[title].passed]
    return PolicyChange(summary, sight_changes(old, new, DETECTIONS, written), tuple(titles), tuple(better))


@cache
def describe_change(
    live: str | None,
    desired: str,
    kubernetes_minor: int,
    audit_log_mode: str | None = None,
    written: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Lines on the desired policy's weak points, and on the requests that it decides unlike the live one.

    ``live`` is the text on the node, None without one. Both texts are policies, and ``desired`` is valid on Kubernetes
    1.``kubernetes_minor``. ``audit_log_mode`` is the log backend's mode, None without one. ``written`` are the keys
    that annotations write into events.
    """
    policy = policy_as_read(desired, "the policy")
    lines = [
        f"policy line {finding.line}: {finding.severity.value}: {finding.reason} [{finding.id}]"
        for finding in lint(policy, desired, kubernetes_minor, audit_log_mode=audit_log_mode)
        if finding.silenced is None and finding.severity.rank >= Severity.WARNING.rank
    ]
    if blind := blind_line(policy, DETECTIONS, written):
        lines.append(blind)
    if live is None:
        return tuple(lines)
    try:
        before = policy_as_read(live, "the live policy")
    except PolicyError:
        return (*lines, "the policy on the node cannot be read, so the decisions cannot be compared")
    return (*lines, *(f"decision: {line}" for line in policy_change(before, policy, written).lines()))
