"""What a check found, and what it means for a plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Whether a plan goes on."""

    WARNING = "warning"
    """Said in the preview, on the node."""
    NOTE = "note"
    """Said in the preview too, though nothing is wrong."""
    ERROR = "error"
    """Nothing is changed before it is put right."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be: what is seen, what it leads to, and what to do about it.

    ``remedy`` is empty where ``consequence`` says it all, and ``consequence`` in a note.
    """

    id: str
    what: str
    consequence: str
    severity: Severity = Severity.WARNING
    remedy: str = ""

    def __str__(self) -> str:
        """One line for a person."""
        return ": ".join(filter(None, (self.what, self.consequence))) + (f"; {self.remedy}" if self.remedy else "")


def errors(findings: Iterable[Finding]) -> list[str]:
    """Those that stop a plan, one line each."""
    return [str(finding) for finding in findings if finding.severity is Severity.ERROR]


def warnings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that a preview says, notes among them."""
    return tuple(finding for finding in findings if finding.severity is not Severity.ERROR)
