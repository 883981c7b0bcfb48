"""One text that lives on a node or in the cluster: as it is, as it shall be, and as removal restores it."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from auditlog.manifest import yaml_edit

_PASSWORD_IN_URL = re.compile(r"(://[^/\s:@\"']+:)[^/\s@\"']+@")


@dataclass(frozen=True, slots=True)
class FileChange:
    """A text that lives on the node or in the cluster: as it is, as it shall be, as removal restores it.

    ``live`` is None if there is none. ``token`` names the live text at its time, for the comparison right before
    the write. ``before`` is None where removal leaves nothing. ``secret``: whoever gave the text keeps it secret.
    """

    path: str
    live: str | None
    desired: str
    before: str | None
    token: str
    secret: bool = False

    @property
    def in_sync(self) -> bool:
        return self.live == self.desired

    def diff(self) -> str:
        """The unified diff from the live text to the desired one; empty when they are equal."""
        live, desired = (self.live or "").splitlines(keepends=True), self.desired.splitlines(keepends=True)
        source = self.path if self.live is not None else "/dev/null"
        lines = difflib.unified_diff(live, desired, source, self.path)
        without_end = "\n\\ No newline at end of file\n"
        return "".join(line if line.endswith("\n") else line + without_end for line in lines)

    @property
    def carries_credentials(self) -> bool:
        """Whether the text is secret, or one of them holds a URL with a password, as a proxy setting may."""
        return self.secret or any(
            _PASSWORD_IN_URL.search(text) for text in (self.live, self.desired, self.before) if text
        )

    def masked_diff(self) -> str:
        """The diff with passwords in URLs replaced by dots, for logs; only that there is one if the text is secret."""
        if self.secret:
            return "" if self.in_sync else f"{self.path}: the edit is not shown, because an argument is secret"
        return _PASSWORD_IN_URL.sub(r"\1…@", self.diff())


def given_back(reverted: str, recorded: str) -> str:
    """What removal restores: the recorded text, byte for byte, while nothing but audit logging has changed since."""
    return recorded if yaml_edit.load(reverted) == yaml_edit.load(recorded) else reverted
