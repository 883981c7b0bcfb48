"""What a plan is refused with. Its own module, so that a program can name it before it needs to plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditlog.errors import AuditlogError
from auditlog.plan.file_change import FileChange


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit that is known though the plan is refused: ``where`` is the node, ``reasons`` say why it is made."""

    where: str
    reasons: tuple[str, ...]
    change: FileChange


class PlanError(AuditlogError):
    """The nodes are not in a state that can be changed safely.

    ``problems`` holds one line for each reason. ``edits`` are the changes that are known, for a preview to show all the
    same.
    """

    def __init__(self, problems: list[str], edits: Sequence[Edit] = ()) -> None:
        super().__init__("\n".join(problems))
        self.problems, self.edits = problems, tuple(edits)

    @property
    def messages(self) -> tuple[str, ...]:
        """One for each reason."""
        return tuple(self.problems)
