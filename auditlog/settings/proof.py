"""Whether and how ``up`` proves in the end that events arrive."""

from __future__ import annotations

from dataclasses import dataclass

from auditlog.settings.kinds import Boolean, Integer
from auditlog.settings.reader import Group, Reader
from auditlog.settings.setting import defaulted


@dataclass(frozen=True, slots=True)
class ProofSettings:
    """Whether and how `up` proves that events arrive."""

    enabled: bool = True
    """Whether `up` ends with the proof."""
    loki_seconds: int = 60
    """Seconds that an event may take from a node's log to Loki."""


_DEFAULTS = ProofSettings()
ENABLED = defaulted(
    "enabled",
    Boolean(),
    _DEFAULTS.enabled,
    "Whether `up` ends with a proof on each changed node: a request, and its event in the log and, if shipped, in "
    "Loki. Without the event `up` fails; the nodes stay as they are.",
)
LOKI_SECONDS = defaulted(
    "lokiSeconds",
    Integer(5, 3600),
    _DEFAULTS.loki_seconds,
    "How long an event may take from the log to Loki, in seconds.",
)
PROOF = Group((ENABLED, LOKI_SECONDS))


def parse_proof(reader: Reader | None) -> ProofSettings:
    return ProofSettings() if reader is None else ProofSettings(reader.read(ENABLED), reader.read(LOKI_SECONDS))
