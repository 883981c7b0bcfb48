"""The settings of how an API server is restarted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from auditlog.settings.kinds import Boolean, Choice
from auditlog.settings.setting import defaulted


class RestartMode(StrEnum):
    """How the old API server gives way to the new one."""

    SEAMLESS = "seamless"
    QUICK = "quick"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class RestartSettings:
    """What the stack wants of a restart."""

    mode: Annotated[RestartMode, RESTART] = RestartMode.SEAMLESS
    """How the old API server gives way to the new one."""
    rehearsal: Annotated[bool, REHEARSAL] = True
    """Whether the new manifest and policy run as a second API server before the running one is touched."""
    accept_lost_events: Annotated[bool, ACCEPT_LOST_EVENTS] = False
    """Whether a quick restart may be made where it can lose audit events."""


_DEFAULT = RestartSettings()

RESTART = defaulted(
    "restart",
    Choice(RestartMode),
    _DEFAULT.mode,
    "How the API server restarts. `seamless`: a second one answers meanwhile; becomes `drain` if the node does not "
    "allow it. `quick`: away for 5 to 10 s; refused if it can lose audit events. `drain`: away for about 40 s.",
)
REHEARSAL = defaulted(
    "rehearsal",
    Boolean(),
    _DEFAULT.rehearsal,
    "Whether the new manifest and policy first run as a second API server, before the running one is touched.",
)
ACCEPT_LOST_EVENTS = defaulted(
    "acceptLostEvents",
    Boolean(),
    _DEFAULT.accept_lost_events,
    "Whether a `quick` restart is allowed even if it can lose audit events.",
)
