"""What a node says when it is asked for the proof (``node/prove.sh``): one fact a line, texts in base64."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from auditlog.ledger.files import AnswerError


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


def parse_log_answer(output: str) -> LogAnswer:
    """Raises AnswerError."""
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
