"""What a timeline is about: an object, or somebody who sends requests."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SESSION_PAUSE_MINUTES = 30
"""A session ends if its caller sends nothing for longer than this."""


class Kind(StrEnum):
    """The kinds of subjects."""

    OBJECT = "object"
    USER = "user"
    ADDRESS = "address"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about. `*` in a value matches any text."""

    kind: Kind
    name: str = ""
    """The object's name, the user, or the source address."""
    resource: str = ""
    """An object's resource, as in `WhoQuery`."""
    namespace: str = ""
    """An object's namespace; "" for an object without one."""
    credential: str = ""
    """A session's credential; "" if its requests have none."""
    user: str = ""
    """A session's user."""
    address: str = ""
    """A session's source address; "" for any address."""
    user_agent: str = ""
    """A session's program; "" for any program."""
    anchor: str = ""
    """The auditID of a request in the session, which then ends at pauses; "" for everything that the credential did."""
    children: bool = True
    """Whether objects that belong to this one count too."""

    def __str__(self) -> str:
        if self.kind is Kind.OBJECT:
            place = f" in {self.namespace}" if self.namespace else ""
            return f"{self.resource} {self.name}{place}"
        if self.kind is Kind.SESSION:
            who = self.user or self.credential
            return f"the session of {who}" + (f" around {self.anchor}" if self.anchor else "")
        return f"{self.kind} {self.name}"
