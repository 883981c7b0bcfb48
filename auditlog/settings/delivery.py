"""What the log and the webhook backend have in common: mode, batches, truncation.

The API server checks these when it starts, and does not start with a wrong one (k8s.io/apiserver
pkg/server/options/audit.go, Validate); here they are refused with the key's own name, before a node is dialled.
"""

from __future__ import annotations

from dataclasses import dataclass

from auditlog.settings.model import Batch, Delivery, Mode, Throttle, Truncate
from auditlog.settings.reader import Reader

KEYS = ("mode", "version", "batch", "truncate")
VERSIONS = ("audit.k8s.io/v1",)

_LARGEST_INTEGER = 2**31 - 1
DEFAULT_MAX_BATCH_SIZE = 10 * 1024 * 1024
DEFAULT_MAX_EVENT_SIZE = 100 * 1024
"""Bytes, of --audit-*-truncate-max-batch-size and -max-event-size (NewAuditTruncateOptions)."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a backend does without being told. One that throttles batches has numbers for it, the other one has none."""

    mode: Mode
    throttles: bool


LOG_DEFAULTS = Defaults(Mode.BLOCKING, throttles=False)
WEBHOOK_DEFAULTS = Defaults(Mode.BATCH, throttles=True)


def parse_delivery(reader: Reader, defaults: Defaults) -> Delivery:
    """The keys ``KEYS`` of one backend's mapping."""
    mode = reader.optional_choice("mode", Mode)
    batches = (mode or defaults.mode) == Mode.BATCH
    if reader.has("batch") and not batches:
        reader.problem("batch", f"is given with mode {mode or defaults.mode}", "only with mode batch")
    return Delivery(
        mode=mode,
        version=reader.text("version", lambda value: value in VERSIONS, " or ".join(VERSIONS)),
        batch=_batch(reader.object("batch"), defaults),
        truncate=_truncate(reader),
    )


def _batch(reader: Reader | None, defaults: Defaults) -> Batch | None:
    if reader is None:
        return None
    reader.allow_only("bufferSize", "maxSize", "maxWait", "throttle")
    return Batch(
        buffer_size=reader.optional_integer("bufferSize", 1, _LARGEST_INTEGER),
        max_size=reader.optional_integer("maxSize", 1, _LARGEST_INTEGER),
        max_wait=reader.duration("maxWait"),
        throttle=_throttle(reader, defaults),
    )


def _throttle(reader: Reader, defaults: Defaults) -> Throttle | None:
    found = reader.boolean_or_object("throttle")
    if found is None or found is False:
        return None if found is None else Throttle(enabled=False)
    if isinstance(found, Reader):
        found.allow_only("qps", "burst")
        throttle = Throttle(True, found.positive_number("qps"), found.optional_integer("burst", 1, _LARGEST_INTEGER))
        given = {key for key in ("qps", "burst") if found.has(key)}
    else:
        throttle, given = Throttle(), set()
    if not defaults.throttles and given != {"qps", "burst"}:
        lacking = " and ".join(key for key in ("qps", "burst") if key not in given)
        reader.problem(
            "throttle", f"lacks {lacking}", "false, or both qps and burst: they are 0 here without being told"
        )
    return throttle


def _truncate(reader: Reader) -> Truncate | None:
    found = reader.boolean_or_object("truncate")
    if found is None or isinstance(found, bool):
        return None if found is None else Truncate(enabled=found)
    found.allow_only("maxBatchSize", "maxEventSize")
    batch = found.optional_integer("maxBatchSize", 1, 2**63 - 1)
    event = found.optional_integer("maxEventSize", 1, 2**63 - 1)
    if (event or DEFAULT_MAX_EVENT_SIZE) > (batch or DEFAULT_MAX_BATCH_SIZE):
        what = f"is {event or DEFAULT_MAX_EVENT_SIZE}" + ("" if event else " without being told")
        found.problem("maxEventSize", what, f"at most maxBatchSize, {batch or DEFAULT_MAX_BATCH_SIZE}")
    return Truncate(True, batch, event)
