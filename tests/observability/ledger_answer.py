"""Asking the ledger as a person does, and what it said."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from typing import Any

from auditlog.cli import main


@dataclass(frozen=True)
class Answer:
    """What the command said."""

    code: int
    values: dict[str, Any]

    @property
    def node(self) -> dict[str, Any]:
        """The only node."""
        (found,) = self.values["nodes"]
        return dict(found)

    @property
    def kinds(self) -> set[str]:
        """Of what is no note."""
        return {each["kind"] for each in self.values["findings"] if each["weight"] != "note"}

    def of(self, kind: str) -> dict[str, Any]:
        """The only finding of a kind."""
        (found,) = [each for each in self.values["findings"] if each["kind"] == kind]
        return dict(found)

    def ids(self, kind: str) -> set[str]:
        return {each["auditID"] for each in self.of(kind)["events"]}


def ask_ledger(*words: str) -> Answer:
    """Runs `auditlog ledger` with these words."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = main(["ledger", *words, "-o", "json"])
    return Answer(code, json.loads(said.getvalue()))
