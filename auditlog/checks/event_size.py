"""How large an event may become, against the batch that it goes into and the lines that Loki accepts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from auditlog.checks.finding import Finding, Severity
from auditlog.manifest.audit_flags import BACKENDS, BY_NAME, LOG, LOG_FLAG, value_of
from auditlog.manifest.flag_values import is_true
from auditlog.policy.model import Level, Policy

_BATCH_SIZE, _EVENT_SIZE = "truncate-max-batch-size", "truncate-max-event-size"


def batch_findings(flags: Mapping[str, str]) -> Iterator[Finding]:
    """An event size above the batch size, with which the API server does not start, truncating or not."""
    for backend in BACKENDS:
        event_flag, batch_flag = backend.flag(_EVENT_SIZE), backend.flag(_BATCH_SIZE)
        event, batch = _bytes(flags, event_flag), _bytes(flags, batch_flag)
        if backend.is_on(flags) and event > batch:
            yield Finding(
                "event-larger-than-batch",
                f"--{event_flag} is {event} bytes, and a batch holds {batch} at most",
                "the API server does not start with it",
                Severity.ERROR,
                f"raise --{batch_flag}, or lower the event size",
            )


def line_findings(flags: Mapping[str, str], policy: Policy, max_line_bytes: int | None) -> Iterator[Finding]:
    """An event of the log file that may be longer than a line that Loki accepts; None when no Loki is configured.

    Only events with a body grow so large, and with truncating on the bodies of those above the limit are removed.
    """
    if max_line_bytes is None or not flags.get(LOG_FLAG, "").startswith("/"):
        return
    if all(rule.level in (Level.NONE, Level.METADATA) for rule in policy.rules):
        return
    truncates = is_true(value_of(flags, LOG.flag("truncate-enabled")))
    event = _bytes(flags, LOG.flag(_EVENT_SIZE))
    lost = "Loki refuses longer lines: those events are in the log file only"
    if not truncates:
        yield Finding(
            "event-unlimited",
            f"the policy records bodies, and no event is truncated; Loki takes lines of {max_line_bytes} bytes at most",
            lost,
            remedy="set --audit-log-truncate-enabled",
        )
    elif event > max_line_bytes:
        yield Finding(
            "event-larger-than-line",
            f"--audit-log-truncate-max-event-size is {event} bytes, and Loki takes lines of {max_line_bytes} at most",
            lost,
            remedy=f"set it to {max_line_bytes} or less, or raise limits_config.max_line_size of Loki",
        )


def _bytes(flags: Mapping[str, str], name: str) -> int:
    given = flags.get(name, "")
    return int(given if given.isdecimal() else BY_NAME[name].default)
