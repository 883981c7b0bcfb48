"""Whether and how ``up`` proves in the end that events arrive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from auditlog.settings.kinds import Boolean, Integer
from auditlog.settings.reader import Reader
from auditlog.settings.record import filled, group_of
from auditlog.settings.setting import defaulted


@dataclass(frozen=True, slots=True)
class ProofSettings:
    """Whether and how `up` proves that events arrive."""

    enabled: Annotated[bool, ENABLED] = True
    """Whether `up` ends with the proof."""
    loki_seconds: Annotated[int, LOKI_SECONDS] = 60
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
PROOF = group_of(ProofSettings)


def parse_proof(reader: Reader | None) -> ProofSettings:
    return ProofSettings() if reader is None else filled(ProofSettings, reader)
