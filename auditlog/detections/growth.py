"""How much a counter grew, in PromQL, when scrapes are missing, processes restart and counters are born at 1.

`increase()` sees none of these. A counter that begins with its first error has no earlier value. A gap in the scrapes
that is longer than the window leaves only one value. `x unless x offset 5m` sees the first, but after a gap it counts
everything ever counted as new.
"""

from __future__ import annotations

_WINDOW = "5m"
_KNOWN_FOR = "1d"
"""How far back a counter's last value is looked for."""
_YOUNG = 600
"""Seconds for which what a new process has counted is new."""
_TARGET = "cluster, job, instance"


def growth(metric: str, selector: str, by: str, more: str = "") -> str:
    """The growth since five minutes before, or since the last value before that, of a day at most.

    A counter that fell began again: all of it is growth. So is a counter without an earlier value, if its target was
    scraped before or its process has just begun. A Prometheus that has just begun knows neither, and the query returns
    nothing. ``more`` are matchers of the counter alone, which its target does not have.
    """
    series = f"{metric}{{{selector}{more and f', {more}'}}}"
    before = f"last_over_time({series}[{_KNOWN_FOR}] offset {_WINDOW})"
    known = f"last_over_time(up{{{selector}}}[{_KNOWN_FOR}] offset {_WINDOW})"
    young = f"time() - process_start_time_seconds{{{selector}}} < {_YOUNG}"
    born = f"{series} unless {before} and on ({_TARGET}) ({known} or {young})"
    return f"sum by (cluster, {by}) ({series} - {before} >= 0 or {series} < {before} or {born})"
