"""What ``pulumi preview --json`` printed, as far as a reviewer needs it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from auditlog.checks.budget import MISSED
from auditlog.errors import AuditlogError
from auditlog.review.in_short import headline, read_in_short
from auditlog.review.sentences import in_order
from auditlog.review.topic import Decision

_DIGEST = re.compile(r"^plan digest: ((?:[^\s,=]+=)?[0-9a-f]{64})$", re.MULTILINE)
NOTHING_PRINTED = "pulumi preview ended before it began: the job's log says why"
_COLOURS = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m")
_NO_CHANGE = ("same", "read", "refresh")
_OFF_NODES = ("kubernetes:", "command:local:")
_STACK_TYPE = "pulumi:pulumi:Stack"


class PreviewError(AuditlogError):
    """The text is not what ``pulumi preview --json`` prints; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is to happen to one resource: ``operation`` in the engine's words (create, update, replace, delete).

    ``in_cluster`` says whether it is an object of Kubernetes or a rule group in Loki, and not something on a node.
    """

    resource: str
    operation: str
    in_cluster: bool = False


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

    A program with several components has a digest for each, as ``NAME=DIGEST`` with commas between them, and a decision
    for each whose nodes change. ``decisions`` are by the name of the stack or component.

    ``unchanged`` counts the resources that stay as they are, the stack itself and components included.
    """

    steps: tuple[Step, ...]
    messages: tuple[Message, ...]
    unchanged: int
    digest: str | None
    decisions: Mapping[str, Decision] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return any(message.severity == "error" for message in self.messages)

    @property
    def outcome(self) -> str:
        """What came of the preview in a few words."""
        if self.failed:
            return "the preview failed, nothing can be applied"
        return f"{f'{len(self.steps)} to change' if self.steps else 'no changes'}, {self.unchanged} unchanged"

    @property
    def in_one_line(self) -> str:
        """The same with what changes on nodes, and how long the API is away."""
        headlines = () if self.failed else map(headline, self.decisions.values())
        return "; ".join([self.outcome, *headlines])

    @property
    def misses_budget(self) -> bool:
        """Whether a node does not keep its log for as long as the stack's budget promises."""
        return any(MISSED in sentence for message in self.messages for sentence in message.sentences)


def read_preview(text: str) -> Preview:
    """Reads the JSON of one preview. Raises PreviewError.

    Nothing at all is what Pulumi prints where it ends before the preview begins: a preview that failed.
    """
    if not text.strip():
        return Preview((), (Message("", "error", (NOTHING_PRINTED,), ""),), 0, None)
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise PreviewError(f"no JSON ({error}); wanted: the output of pulumi preview --json") from error
    if not isinstance(document, dict) or not isinstance(document.get("steps", []), list):
        raise PreviewError("no preview: wanted an object with steps, as pulumi preview --json prints it")
    steps = [step for step in document.get("steps") or [] if _type(step["urn"]) != _STACK_TYPE]
    # Resources that stay as they are have no step, they are only counted.
    unchanged = (document.get("changeSummary") or {}).get("same", 0)
    changes = (
        Step(_name(step["urn"]), step["op"], _type(step["urn"]).startswith(_OFF_NODES))
        for step in steps
        if step["op"] not in _NO_CHANGE
    )
    texts = [each for each in document.get("diagnostics") or [] if each.get("message", "").strip()]
    digests = [found[1] for each in texts if (found := _DIGEST.search(each["message"]))]
    messages = [_message(each) for each in texts if not _DIGEST.search(each["message"])]
    read = [(each, read_in_short(each.sentences)) for each in messages]
    decisions = {message.resource: decision for message, decision in read if decision is not None}
    others = [message for message, decision in read if decision is None]
    in_names_order = tuple(sorted(changes, key=lambda step: in_order(step.resource)))
    others.sort(key=lambda message: in_order(message.resource))
    return Preview(in_names_order, tuple(others), unchanged, ",".join(digests) or None, decisions)


def _message(diagnostic: Mapping[str, Any]) -> Message:
    severity = diagnostic.get("severity", "info").removesuffix("#err")
    # The engine says the severity of errors once more in the text.
    text = _COLOURS.sub("", diagnostic["message"]).strip("\n").removeprefix(f"{severity}: ")
    lines = text.split("\n")
    start = next((at for at, line in enumerate(lines) if _begins_diff(lines, at, line)), len(lines))
    diff = "\n".join(lines[start:])
    return Message(_name(diagnostic.get("urn", "")), severity, tuple(lines[:start]), diff)


def _begins_diff(lines: list[str], at: int, line: str) -> bool:
    return line.startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ ")


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def _type(urn: str) -> str:
    """The resource's own type: the last of those that its URN names, parents first."""
    parts = urn.split("::")
    return parts[2].rpartition("$")[2] if len(parts) > 2 else ""
