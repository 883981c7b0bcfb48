"""How far Alloy is behind the audit log, in PromQL."""

from __future__ import annotations

PREFIX = "kubernetes_"
"""What stands before the name of each metric that the pipeline makes itself."""
NEWEST_METRIC = "audit_newest_event_seconds"
"""How far Alloy has come, in seconds since 1970."""
EVENTS_METRIC = "audit_events_total"
"""Events that Alloy handed on, by cluster, node, level and verb."""
BYTES_METRIC = "audit_bytes_total"
"""Bytes of their lines, by the same."""

_TAKEN = "otelcol_exporter_loki_entries_processed"
_LEFT_OUT = "loki_process_dropped_lines_total"
_SENT = "loki_write_sent_entries_total"
_GIVEN_UP = "loki_write_dropped_entries_total"
_OWN = 'component_id=~".*[.]audit"'


def behind(by: str, selector: str) -> str:
    """Seconds since the event that Alloy handed on last, where events wait; nothing where none does.

    ``by`` is how instances are put together, ``sum by (cluster, instance)``; ``selector`` what their series have. A
    node that has nothing to say is not behind, however old its last event is.

    An Alloy may send other logs through the ``loki.write`` of audit events. What waits there is unknown, so the query
    returns nothing.
    """

    def total(metric: str) -> str:
        return f"{by} ({metric}{{{selector}, {_OWN}}})"

    waiting = f"{total(_TAKEN)} - ({total(_LEFT_OUT)} or 0 * {total(_TAKEN)}) - {total(_SENT)} - {total(_GIVEN_UP)}"
    newest = f"{by.replace('sum', 'max', 1)} ({PREFIX}{NEWEST_METRIC}{{{selector}}})"
    return f"time() - {newest} and ({waiting}) > 0"
