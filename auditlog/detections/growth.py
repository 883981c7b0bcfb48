"""How much a counter grew, in PromQL, when scrapes are missing, processes restart and counters are born at 1.

`increase()` sees none of these: a counter that begins with its first error has no earlier value, and a gap in the
scrapes longer than the window leaves one value alone. `x unless x offset 5m` sees the first, and after a gap takes all
that was ever counted for new.
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

    A counter that fell began anew: all of it is growth. So is one without an earlier value, if its target was scraped
    before or its process has just begun; a Prometheus that has just begun knows nothing of either and says nothing.
    ``more`` are matchers of the counter alone, which its target does not have.
    """
    series = f"{metric}{{{selector}{more and f', {more}'}}}"
    before = f"last_over_time({series}[{_KNOWN_FOR}] offset {_WINDOW})"
    known = f"last_over_time(up{{{selector}}}[{_KNOWN_FOR}] offset {_WINDOW})"
    young = f"time() - process_start_time_seconds{{{selector}}} < {_YOUNG}"
    born = f"{series} unless {before} and on ({_TARGET}) ({known} or {young})"
    return f"sum by (cluster, {by}) ({series} - {before} >= 0 or {series} < {before} or {born})"
