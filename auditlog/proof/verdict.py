"""The result of a proof in words: where the event arrived, or where it stopped. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auditlog.events.event import Event
from auditlog.plan.reasons import PROOF_AGAIN, PROOF_OWED
from auditlog.proof.event import event_nanoseconds
from auditlog.proof.node_answer import LogAnswer


@dataclass(frozen=True, slots=True)
class Proven:
    """An event that arrived: its auditID and time, its file, and after how many seconds it was seen.

    ``loki_seconds`` is None if events are not shipped to a Loki that the stack knows.
    """

    audit_id: str
    at: str
    path: str
    log_seconds: float
    loki_seconds: float | None = None

    @property
    def sentence(self) -> str:
        """The proof in one line, for the person who runs ``up``."""
        loki = "" if self.loki_seconds is None else f" and in Loki after {self.loki_seconds:.2f} s"
        return f"proven: the event {self.audit_id} is in {self.path} after {self.log_seconds:.2f} s{loki}"

    def outputs(self) -> dict[str, str | float]:
        """The proof for the stack's outputs. The node keeps it too, so that the next preview shows the same."""
        found: dict[str, str | float] = {"auditID": self.audit_id, "at": self.at, "logSeconds": self.log_seconds}
        return found if self.loki_seconds is None else {**found, "lokiSeconds": self.loki_seconds}


@dataclass(frozen=True, slots=True)
class Failure:
    """Where one node's event stopped, and when the search ended (ISO 8601; "" if the node was not reached).

    A failure that is ``expected`` does not fail the update.
    """

    message: str
    expected: bool = False
    at: str = ""

    def outputs(self) -> dict[str, str | float]:
        """The failure for the stack's outputs, in place of a proof."""
        said: dict[str, str | float] = {"notProven" if self.expected else "failed": self.message}
        return {**said, "at": self.at} if self.at else said


def proven(event: Event, answer: LogAnswer, loki_seconds: float | None) -> Proven:
    """The proof of an event. ``loki_seconds`` counts from the moment when the node saw the event in its log."""
    in_log = max(0.0, answer.seen - event_nanoseconds(event) / 1e9)
    in_loki = None if loki_seconds is None else round(in_log + loki_seconds, 2)
    return Proven(event.audit_id, event.stage_timestamp.isoformat(), answer.path, round(in_log, 2), in_loki)


def kept_outputs(note: str | None) -> Mapping[str, Any] | None:
    """The outputs of the last proof, from the note on the node; None if there is no readable note."""
    try:
        found = json.loads(note or "")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True)
class DueProof:
    """A proof that the next update makes although nothing else changes on the node."""

    argument: str
    """The node's argument that makes it an update."""
    name: str
    """The argument's value. It is another one each time a proof is due, so the engine always sees a difference."""
    reason: str
    """Why the proof is due, for the preview."""


def due_proof(note: str | None, unproven: str | None) -> DueProof | None:
    """The proof that is due by the note of the last proof, or by an update that no proof followed."""
    if unproven is not None:
        return DueProof("unproven", _named(unproven), PROOF_OWED)
    kept = kept_outputs(note)
    if kept is not None and "failed" in kept:
        return DueProof("failed_proof", _named(note or ""), PROOF_AGAIN)
    return None


def _named(record: str) -> str:
    return hashlib.sha256(record.encode()).hexdigest()[:16]


def not_in_log(answer: LogAnswer, log: str, seconds: int) -> str:
    """Why a marker is not in the log, as far as the API server shows."""
    where = "the log of its container" if log == "-" else log
    stopped = f"the marker's event is not in {where} after {seconds} s"
    if answer.errors:
        return f"{stopped}: the backend does not take events (apiserver_audit_error_total is {answer.errors})"
    if answer.errors is None:
        return f"{stopped}: the API server does not answer ({answer.said or 'it said nothing'})"
    return (
        f"{stopped}: the API server has not recorded the request, or writes elsewhere. It answered: "
        f"{answer.said or 'nothing'}"
    )


def not_as_it_should_be(event: Event, where: str, wrong: Sequence[str]) -> str:
    """The message for an event that arrived with something wrong."""
    return f"the marker's event {event.audit_id} is in {where}, and {'; '.join(wrong)}"


def not_in_loki(proof: Proven, url: str, seconds: int, problem: str, why: str) -> str:
    """The message for an event that is in the log and not in Loki.

    ``problem`` is why Loki could not be asked; "" if it could. ``why`` is what is known about Alloy.
    """
    arrived = f"the marker's event {proof.audit_id} is in {proof.path}"
    if problem:
        return f"{arrived}, and Loki cannot be asked for it: {problem}"
    return f"{arrived} and not in Loki ({url}) after {seconds} s: {why}"


SNIPPET_MISSING = "your Alloy ships it once it runs the snippet (pulumi stack output alloy)"
