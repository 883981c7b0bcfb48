"""A node's answer when it is asked for the proof (``node/prove.sh``): one fact a line, texts in base64."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from auditlog.ledger.files import AnswerError


@dataclass(frozen=True, slots=True)
class LogAnswer:
    """What a node found of the marker's event in its log."""

    line: str | None = None
    """The event's line; None if the node did not find it."""
    path: str = ""
    """The file with the event."""
    seen: float = 0
    """When the node found it, in seconds since 1970 by the node's own clock."""
    said: str = ""
    """If the node did not find it: the last line of the answer to the request."""
    errors: int | None = None
    """If the node did not find it: the API server's count of events that a backend did not take; None without one."""
    service: str = ""
    """The address of the Service that was asked for; "" without one."""


def parse_log_answer(output: str) -> LogAnswer:
    """Reads a node's answer. Raises AnswerError."""
    line: str | None = None
    path = said = service = ""
    seen, errors = 0.0, None
    lines = output.splitlines()
    if not lines or lines[0] != "format 1" or lines[-1] != "end":
        raise AnswerError("the answer is not whole")
    for kind, *words in (each.split(" ") for each in lines[1:-1]):
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
                    raise ValueError("unknown")
        except (IndexError, ValueError, binascii.Error) as error:
            raise AnswerError(f"the answer's line {kind!r}: {error}") from error
    return LogAnswer(line, path, seen, said, errors, service)


def _text(encoded: str) -> str:
    return base64.b64decode(encoded, validate=True).decode(errors="replace")
