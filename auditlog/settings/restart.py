"""The settings of how an API server is restarted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from auditlog.settings.reader import Reader


class RestartMode(StrEnum):
    """How the old API server gives way to the new one (``reference/lab.md``, "Restarting the API server quickly")."""

    SEAMLESS = "seamless"
    QUICK = "quick"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class RestartSettings:
    """What the stack wants of a restart.

    ``rehearsal``: the new manifest and policy run as a second API server before the running one is touched.
    ``accept_lost_events``: a quick restart may also be made where it can lose audit events.
    """

    mode: RestartMode = RestartMode.SEAMLESS
    rehearsal: bool = True
    accept_lost_events: bool = False


def parse_restart(top: Reader) -> RestartSettings:
    """Reads ``restart``, ``rehearsal`` and ``acceptLostEvents`` of the whole configuration."""
    mode = top.choice("restart", RestartMode) if top.has("restart") else RestartMode.SEAMLESS
    rehearsal = top.boolean("rehearsal")
    return RestartSettings(
        mode=mode or RestartMode.SEAMLESS,
        rehearsal=rehearsal is not False,
        accept_lost_events=top.boolean("acceptLostEvents") is True,
    )
