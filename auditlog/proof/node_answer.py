"""What a node says when it is asked for the proof (``node/prove.sh``): one fact a line, texts in base64."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

from auditlog.errors import AuditlogError


class AnswerError(AuditlogError):
    """The node's answer cannot be understood."""


@dataclass(frozen=True, slots=True)
class LogAnswer:
    """``line`` is the marker's event as it stands in the file ``path``, None where it does not.

    ``seen`` is when the node found it, in seconds since 1970 by its own clock. Where it did not, ``said`` is the last
    line of what the request was answered with, and ``errors`` the API server's count of events that a backend did not
    take, None where it does not say. ``service`` is the address of the Service that was asked for, "" without one.
    """

    line: str | None = None
    path: str = ""
    seen: float = 0
    said: str = ""
    errors: int | None = None
    service: str = ""


@dataclass(frozen=True, slots=True)
class AlloyPod:
    """A pod of Alloy and the node that it is on; ``reason`` is why its container waits, "" where it does not."""

    node: str
    phase: str
    ready: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AlloyState:
    """The pods of Alloy in the whole cluster, and the last error or warning in the log of the one on this node."""

    pods: tuple[AlloyPod, ...] = ()
    complaint: str = ""


def parse_log_answer(output: str) -> LogAnswer:
    """Raises AnswerError."""
    line: str | None = None
    path = said = service = ""
    seen, errors = 0.0, None
    for kind, words in _facts(output):
        try:
            match kind:
                case "event":
                    seen, path, line = float(words[0]), _text(words[1]), _text(words[2])
                case "answer":
                    said = _text(words[0])
                case "audit-errors":
                    errors = int(words[0]) if words[0] else None
                case "service":
                    service = words[0]
                case _:
                    raise AnswerError(f"the answer has an unknown line {kind!r}")
        except (IndexError, ValueError, binascii.Error) as error:
            raise AnswerError(f"the answer's line {kind!r}: {error}") from error
    return LogAnswer(line, path, seen, said, errors, service)


def parse_alloy_state(output: str) -> AlloyState:
    """Raises AnswerError."""
    pods: list[AlloyPod] = []
    complaint = ""
    for kind, words in _facts(output):
        if kind == "pod":
            node, phase, ready, reason = (*words, "", "", "", "")[:4]
            pods.append(AlloyPod(node, phase, ready == "true", reason))
        elif kind == "complaint":
            complaint = _text(words[0])
        else:
            raise AnswerError(f"the answer has an unknown line {kind!r}")
    return AlloyState(tuple(pods), complaint)


def _facts(output: str) -> Iterator[tuple[str, list[str]]]:
    lines = output.splitlines()
    if not lines or lines[0] != "format 1" or lines[-1] != "end":
        raise AnswerError("the answer is not whole")
    for line in lines[1:-1]:
        kind, *words = line.split(" ")
        yield kind, words


def _text(encoded: str) -> str:
    return base64.b64decode(encoded, validate=True).decode(errors="replace")
