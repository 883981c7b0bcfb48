"""What the API server counted (``apiserver_audit_event_total``) against what its files hold, between two readings.

The API server counts each event before it hands it to the log. The policy and its ``omitStages`` come first: nothing
that the policy drops is counted (k8s.io/apiserver/pkg/endpoints/filters/audit.go, processAuditEvent). A reading takes
place somewhere between two moments. So the number of events between two readings is known only up to those at the
edges.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Count:
    """One reading of the counter, between ``before`` and ``after``. Both are times as the API server writes them."""

    before: str
    events: int
    """How many events the API server's process had counted."""
    after: str
    start: str
    """When that process started, in seconds since 1970; "" for readings from Prometheus."""


@dataclass(frozen=True, slots=True)
class Window:
    """Two readings between which the events in the files must be counted."""

    earlier: Count
    later: Count

    @property
    def stamps(self) -> tuple[str, ...]:
        """The times up to which the events of the files are counted."""
        return tuple(dict.fromkeys((self.earlier.before, self.earlier.after, self.later.before, self.later.after)))


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many events the API server counted between two readings, and how many its files hold of that time."""

    counted: int
    """Events that the API server counted."""
    least: int
    """The fewest that the files hold."""
    most: int
    """The most that the files hold."""

    @property
    def lost(self) -> int:
        """At least so many events were made and are in no file."""
        return max(0, self.counted - self.most)

    @property
    def added(self) -> int:
        """At least so many events are in the files and were not made by this API server."""
        return max(0, self.least - self.counted)


RESTARTED = "the API server was restarted between the two readings, which sets its counter back to 0"
NO_EARLIER = "there is no earlier reading of the API server's counter"
NO_COUNTER = "the API server's counter was not read"


def window(earlier: Count | None, later: Count | None) -> Window | str:
    """The readings to compare, or why they cannot be compared."""
    if later is None:
        return NO_COUNTER
    if earlier is None:
        return NO_EARLIER
    if earlier.start != later.start or later.events < earlier.events:
        return RESTARTED
    return Window(earlier, later)


def compared(asked: Window, upto: dict[str, int]) -> Comparison:
    """Compares. ``upto`` is how many events of the files are not later than each of the window's stamps."""
    earlier, later = asked.earlier, asked.later
    return Comparison(
        later.events - earlier.events,
        max(0, upto[later.before] - upto[earlier.after]),
        upto[later.after] - upto[earlier.before],
    )
