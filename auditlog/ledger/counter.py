"""What the API server counted (``apiserver_audit_event_total``) against what its files hold, between two readings.

The API server counts each event before it hands it to the log, after the policy and its ``omitStages``: nothing that
the policy drops is counted (k8s.io/apiserver/pkg/endpoints/filters/audit.go, processAuditEvent). A reading takes place
somewhere between two moments, so the number of events between two readings is known only up to those at the edges.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Count:
    """``events`` were counted at a moment between ``before`` and ``after``, as the API server writes times, by the
    process that started at ``start``, in seconds since 1970."""

    before: str
    events: int
    after: str
    start: str


@dataclass(frozen=True, slots=True)
class Window:
    """Times between which events must be counted in the files, by how many of them are not later."""

    earlier: Count
    later: Count

    @property
    def stamps(self) -> tuple[str, ...]:
        """The times to count up to."""
        return tuple(dict.fromkeys((self.earlier.before, self.earlier.after, self.later.before, self.later.after)))


@dataclass(frozen=True, slots=True)
class Comparison:
    """``counted`` by the API server between two readings, and the least and the most that the files hold of that time.
    ``counted`` by the API server between two readings, and the least and the most that the files hold of that time."""

    counted: int
    least: int
    most: int

    @property
    def lost(self) -> int:
        """So many at least were made and are in no file."""
        return max(0, self.counted - self.most)

    @property
    def added(self) -> int:
        """So many at least are in the files and were not made by this API server."""
        return max(0, self.least - self.counted)


RESTARTED = "the API server was restarted between the two readings, which sets its counter back to 0"
NO_EARLIER = "there is no earlier reading of the API server's counter"
NO_COUNTER = "the API server's counter was not read"


def window(earlier: Count | None, later: Count | None) -> Window | str:
    """What can be compared, or why nothing can."""
    if later is None:
        return NO_COUNTER
    if earlier is None:
        return NO_EARLIER
    if earlier.start != later.start or later.events < earlier.events:
        return RESTARTED
    return Window(earlier, later)


def compared(asked: Window, upto: dict[str, int]) -> Comparison:
    """``upto`` is how many events of the files are not later than each of the window's stamps."""
    earlier, later = asked.earlier, asked.later
    return Comparison(
        later.events - earlier.events,
        max(0, upto[later.before] - upto[earlier.after]),
        upto[later.after] - upto[earlier.before],
    )
