"""What is wrong in a stack's configuration: one message for each error, and the exception that carries them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditlog.errors import AuditlogError


@dataclass(frozen=True, slots=True)
class Mistake:
    """``key`` in full, as ``nodes[0].port``; ``what`` is wrong with it, and what is ``allowed`` instead."""

    key: str
    what: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.key}: {self.what}; allowed: {self.allowed}"


class SettingsError(AuditlogError):
    """The configuration is wrong."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.problems))

    @property
    def problems(self) -> list[str]:
        """One message for each error."""
        return [str(mistake) for mistake in self.mistakes]

    @property
    def messages(self) -> tuple[str, ...]:
        """One for each error."""
        return tuple(self.problems)


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a value in the configuration; errors in it are collected."""

    key: str
    mistakes: list[Mistake]

    def at(self, key: str) -> Place:
        """The place of an entry of this mapping."""
        return Place(f"{self.key}.{key}" if self.key else key, self.mistakes)

    def item(self, index: int) -> Place:
        """The place of an entry of this list."""
        return Place(f"{self.key}[{index}]", self.mistakes)

    def mistake(self, what: str, allowed: str) -> None:
        self.mistakes.append(Mistake(self.key, what, allowed))
