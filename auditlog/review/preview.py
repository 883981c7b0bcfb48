"""What ``pulumi preview --json`` printed, as far as a reviewer needs it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditlog.checks.budget import MISSED
from auditlog.errors import AuditlogError

_DIGEST = re.compile(r"^plan digest: ((?:[^\s,=]+=)?[0-9a-f]{64})$", re.MULTILINE)
_COLOURS = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m")
_NO_CHANGE = ("same", "read", "refresh")
_STACK_TYPE = "pulumi:pulumi:Stack"


class PreviewError(AuditlogError):
    """The text is not what ``pulumi preview --json`` prints; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is to happen to one resource: ``operation`` in the engine's words (create, update, replace, delete)."""

    resource: str
    operation: str


@dataclass(frozen=True, slots=True)
class Message:
    """What the program said of one resource. ``sentences`` are its lines, ``diff`` a unified diff or empty."""

    resource: str
    severity: str
    sentences: tuple[str, ...]
    diff: str


@dataclass(frozen=True, slots=True)
class Preview:
    """One preview. ``digest`` names the plan and is None where none was made.

    A program with several components has a digest for each, as ``NAME=DIGEST`` with commas between them.

    ``unchanged`` counts the resources that stay as they are, the stack itself and components included.
    """

    steps: tuple[Step, ...]
    messages: tuple[Message, ...]
    unchanged: int
    digest: str | None

    @property
    def failed(self) -> bool:
        return any(message.severity == "error" for message in self.messages)

    @property
    def misses_budget(self) -> bool:
        """Whether a node does not keep its log for as long as the stack's budget promises."""
        return any(MISSED in sentence for message in self.messages for sentence in message.sentences)


def read_preview(text: str) -> Preview:
    """Reads the JSON of one preview. Raises PreviewError."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise PreviewError(f"no JSON ({error}); wanted: the output of pulumi preview --json") from error
    if not isinstance(document, dict) or not isinstance(document.get("steps", []), list):
        raise PreviewError("no preview: wanted an object with steps, as pulumi preview --json prints it")
    steps = [step for step in document.get("steps") or [] if _type(step["urn"]) != _STACK_TYPE]
    # Resources that stay as they are have no step, they are only counted.
    unchanged = (document.get("changeSummary") or {}).get("same", 0)
    changes = tuple(Step(_name(step["urn"]), step["op"]) for step in steps if step["op"] not in _NO_CHANGE)
    texts = [each for each in document.get("diagnostics") or [] if each.get("message", "").strip()]
    digests = [found[1] for each in texts if (found := _DIGEST.search(each["message"]))]
    messages = tuple(_message(each) for each in texts if not _DIGEST.search(each["message"]))
    return Preview(changes, messages, unchanged, ",".join(digests) or None)


def _message(diagnostic: Mapping[str, Any]) -> Message:
    text = _COLOURS.sub("", diagnostic["message"]).strip("\n")
    lines = text.split("\n")
    start = next((at for at, line in enumerate(lines) if _begins_diff(lines, at, line)), len(lines))
    diff = "\n".join(lines[start:])
    severity = diagnostic.get("severity", "info").removesuffix("#err")
    return Message(_name(diagnostic.get("urn", "")), severity, tuple(lines[:start]), diff)


def _begins_diff(lines: list[str], at: int, line: str) -> bool:
    return line.startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ ")


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def _type(urn: str) -> str:
    """The resource's own type: the last of those that its URN names, parents first."""
    parts = urn.split("::")
    return parts[2].rpartition("$")[2] if len(parts) > 2 else ""
