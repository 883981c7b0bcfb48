"""Every threshold of every panel, with the reason for its numbers.

They are separate from queries and panels, so that you find them in one place if you want other numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode

_GOOD, _LOOK, _BAD = "blue", "orange", "red"
"""Colours that everybody can distinguish. One in twenty men cannot distinguish Grafana's green and red."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The values from which something is worth a look, and from which it is bad. None: there is no such level.

    If less is worse (``falling``), these are the values below which it is.
    """

    look: float | None = None
    bad: float | None = None
    falling: bool = False

    def build(self) -> ThresholdsConfig:
        """The thresholds in Grafana's format: steps from the lowest value up, each with its colour."""
        marks = [(self.look, _LOOK), (self.bad, _BAD)]
        given = [(value, colour) for value, colour in marks if value is not None]
        if self.falling:
            given.reverse()
            colours = [colour for _, colour in given] + [_GOOD]
            steps = [(None, colours[0])] + [
                (value, colour) for (value, _), colour in zip(given, colours[1:], strict=True)
            ]
        else:
            # A count that is neither good nor bad has no colour: one would say that it is good.
            steps = [(None, _GOOD if given else "text"), *given]
        return (
            ThresholdsConfig()
            .mode(ThresholdsMode.ABSOLUTE)
            .steps([Threshold(value=value, color=colour) for value, colour in steps])
        )


NONE = Levels()
"""A quantity that is neither good nor bad."""

ANY = Levels(look=1)
"""Worth a look as soon as there is one."""

ANY_IS_BAD = Levels(bad=1)
"""Never right: lost or refused audit events, wide powers given."""

SILENCE_SECONDS = Levels(look=60, bad=300)
"""A node without an event for a minute is worth a look. Five minutes are longer than any restart of an API server."""

BEHIND_SECONDS = Levels(look=60, bad=300)
"""A busy Loki takes less than a minute. Alerts look no further back than five."""

SHIPPING_SECONDS = Levels(look=1, bad=10)
"""Loki answers a batch within a second. Alloy gives up a request after ten."""

DISK_DAYS = Levels(look=30, bad=7, falling=True)
"""A month leaves time to order a disk, a week only to change the policy."""

RETENTION_DAYS = Levels(look=7, bad=1, falling=True)
"""The rotated files must outlast an outage of Loki: a day is the least, a week covers a holiday."""


def disk_used(percent: float) -> Levels:
    """Bad from where the alert `audit-disk-usage` fires, and worth a look ten points before."""
    return Levels(look=(percent - 10) / 100, bad=percent / 100)
