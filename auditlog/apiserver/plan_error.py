"""What a plan is refused with. A module of its own, so that a program can name it before it needs to plan."""

from __future__ import annotations


class PlanError(Exception):
    """The nodes are not in a state that can be changed safely. ``problems`` holds one line for each reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
