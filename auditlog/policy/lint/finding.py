"""What a lint check is, what it gets and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from auditlog.policy.evaluate import decision_of
from auditlog.policy.model import Decision, Policy, PolicyRule, Position, Stage
from auditlog.policy.partition import Partition, partition

SUBJECT = "\0"
"""In a reason: what a hit is about. Hits that differ in nothing else become one finding."""


class Severity(StrEnum):
    """How much a finding matters."""

    INFO = "info"
    """Works, and may not be meant."""
    WARNING = "warning"
    """Records less, or writes more, than the text suggests."""
    ERROR = "error"
    """Does not do what the text says, or writes what must not be written."""

    @property
    def rank(self) -> int:
        """0 for info up to 2 for error."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check found.

    `path` is written like `rules[2].verbs[0]`. Line and column count from 1; they are its place in the policy's text,
    or the place of what holds it. `silenced` is somebody's reason for accepting it. `silenced_line` is the line of that
    reason, 0 if it came from elsewhere.
    """

    id: str
    severity: Severity
    path: str
    line: int
    column: int
    reason: str
    fix: str
    silenced: str | None = None
    silenced_line: int = 0
    also: tuple[Position, ...] = ()
    """Further places with the same cause, in the order of the text."""

    @property
    def rule_index(self) -> int | None:
        """The rule it is in, counted from 0; None for the policy as a whole."""
        return rule_index_of(self.path)


@dataclass(frozen=True, slots=True)
class Hit:
    """What a check reports: where, why, and what to do about it.

    - `severity` is set if it depends on who or what is affected.
    - `place` is set if the path does not show it.
    - `subject` is set if the reason has SUBJECT in it.
    """

    path: str
    reason: str
    fix: str
    severity: Severity | None = None
    place: Position | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What checks look at. `audit_log_mode` is the API server's --audit-log-mode when it is known."""

    policy: Policy
    kubernetes_minor: int
    audit_log_mode: str | None
    partition: Partition

    def rules(self) -> Iterator[tuple[str, PolicyRule]]:
        """Every rule with its path."""
        for index, rule in enumerate(self.policy.rules):
            yield f"rules[{index}]", rule

    def decision(self, rule_index: int | None) -> Decision:
        """What a rule decides."""
        return decision_of(self.policy, rule_index)

    def rule_name(self, rule_index: int) -> str:
        """A rule as messages name it, counted from 1."""
        line = self.policy.rules[rule_index].line
        return f"rule {rule_index + 1} (line {line})" if line else f"rule {rule_index + 1}"


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of finding. `summary` says in one sentence what it finds, for lists and for SARIF."""

    id: str
    severity: Severity
    summary: str
    find: Callable[[Context], Iterable[Hit]]


def context_of(policy: Policy, kubernetes_minor: int, audit_log_mode: str | None = None) -> Context:
    """The context for one policy on Kubernetes 1.`kubernetes_minor`."""
    return Context(policy, kubernetes_minor, audit_log_mode, partition([policy]))


def rule_index_of(path: str) -> int | None:
    """The index in a path such as `rules[2].verbs[0]`, None for one that is not in a rule."""
    head, _, rest = path.partition("[")
    return int(rest.partition("]")[0]) if head == "rules" and rest else None


def writes(decision: Decision) -> bool:
    """Whether a decision puts anything into the log: a level above None, and a stage to write at."""
    return decision.level.rank > 0 and len(decision.omit_stages) < len(Stage)


def listed(items: Iterable[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    words = list(items)
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""
