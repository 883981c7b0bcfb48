"""The base of every error that this library raises for people to read. Each module has its own subclass."""

from __future__ import annotations

UNREADABLE_YAML = (ValueError, RecursionError)
"""What YAML libraries raise besides their own errors: for a month 13, and for nesting without end."""


class AuditlogError(Exception):
    """Input, a node or an answer is not as it must be. The message names what, and what is allowed.

    Whatever is no `AuditlogError` is a defect of the program.
    """

    exit_code = 2
    """What the command line ends with."""

    @property
    def messages(self) -> tuple[str, ...]:
        """One for each problem, where several are reported together; else the error's text."""
        return (str(self),)
