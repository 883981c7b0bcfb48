"""What the log and the webhook backend have in common: mode, batches, truncation.

An API server with a wrong one does not start (k8s.io/apiserver pkg/server/options/audit.go, Validate). Here it is
refused under the key's own name, before a node is contacted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from auditlog.settings.kinds import Choice, Integer, Number, OneOf
from auditlog.settings.reader import FlagOrGroup, Reader
from auditlog.settings.record import filled, group_of
from auditlog.settings.setting import Setting, optional
from auditlog.settings.texts import DURATION_TEXT


class Mode(StrEnum):
    """How a backend takes events (k8s.io/apiserver pkg/server/options/audit.go, AllowedModes)."""

    BATCH = "batch"
    BLOCKING = "blocking"
    BLOCKING_STRICT = "blocking-strict"


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many batches a backend sends."""

    enabled: bool = True
    """Whether there is a limit."""
    qps: Annotated[float | None, QPS] = None
    """Batches a second, on average; None for the API server's default."""
    burst: Annotated[int | None, BURST] = None
    """Batches at once after a quiet time; None for the API server's default."""


@dataclass(frozen=True, slots=True)
class Batch:
    """How events are gathered before they are sent."""

    buffer_size: Annotated[int | None, BUFFER_SIZE] = None
    """Events that wait in memory; None for the API server's default."""
    max_size: Annotated[int | None, BATCH_MAX_SIZE] = None
    """Events in one batch; None for the API server's default."""
    max_wait: Annotated[str | None, MAX_WAIT] = None
    """The longest wait for a batch, as a Go duration (`5s`); None for the API server's default."""
    throttle: Annotated[Throttle | None, THROTTLE] = None
    """The limit of batches; None for the API server's default."""


@dataclass(frozen=True, slots=True)
class Truncate:
    """What happens to large events and batches."""

    enabled: bool = True
    """Whether they are cut at all."""
    max_batch_size: Annotated[int | None, MAX_BATCH_SIZE] = None
    """Bytes above which a batch is split; None for the API server's default."""
    max_event_size: Annotated[int | None, MAX_EVENT_SIZE] = None
    """Bytes above which an event loses its bodies; None for the API server's default."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How events reach a backend."""

    mode: Annotated[Mode | None, MODE] = None
    """Whether requests wait for the backend; None for the API server's default."""
    version: Annotated[str | None, VERSION] = None
    """The API version of events, such as audit.k8s.io/v1; None for the API server's default."""
    batch: Annotated[Batch | None, BATCH] = None
    """How events are gathered, in mode batch; None for the API server's defaults."""
    truncate: Annotated[Truncate | None, TRUNCATE] = None
    """How large events are cut; None for the API server's defaults."""


VERSIONS = ("audit.k8s.io/v1",)

_LARGEST_INTEGER = 2**31 - 1
DEFAULT_MAX_BATCH_SIZE = 10 * 1024 * 1024
DEFAULT_MAX_EVENT_SIZE = 100 * 1024
"""Bytes, of --audit-*-truncate-max-batch-size and -max-event-size (NewAuditTruncateOptions)."""
_API_SERVERS_OWN = "the API server's own"

QPS = optional("qps", Number(), "Batches per second on average.", otherwise=_API_SERVERS_OWN)
BURST = optional(
    "burst", Integer(1, _LARGEST_INTEGER), "Batches at once after a quiet period.", otherwise=_API_SERVERS_OWN
)
BUFFER_SIZE = optional(
    "bufferSize",
    Integer(1, _LARGEST_INTEGER),
    "Events to hold in memory before new ones are lost.",
    otherwise=_API_SERVERS_OWN,
)
BATCH_MAX_SIZE = optional("maxSize", Integer(1, _LARGEST_INTEGER), "Events in a batch.", otherwise=_API_SERVERS_OWN)
MAX_WAIT = optional(
    "maxWait", DURATION_TEXT, "The longest time an event waits for its batch.", otherwise=_API_SERVERS_OWN
)
THROTTLE: Setting[bool | Reader | None] = Setting(
    "throttle",
    FlagOrGroup(group_of(Throttle)),
    "How many batches are sent. The log backend requires both numbers.",
    None,
    otherwise=_API_SERVERS_OWN,
)
MAX_BATCH_SIZE = optional(
    "maxBatchSize", Integer(1, 2**63 - 1), "Size in bytes above which a batch is split.", otherwise=_API_SERVERS_OWN
)
MAX_EVENT_SIZE = optional(
    "maxEventSize",
    Integer(1, 2**63 - 1),
    "Size in bytes above which an event loses its bodies; at most `maxBatchSize`.",
    otherwise=_API_SERVERS_OWN,
)
MODE = optional(
    "mode",
    Choice(Mode),
    "Whether requests wait for their events: `batch` does not, `blocking` does, `blocking-strict` refuses a request "
    "whose event cannot be written.",
    otherwise="the API server's own: blocking for the log, batch for the webhook",
)
VERSION = optional("version", OneOf(VERSIONS), "The API version of the events.", otherwise=_API_SERVERS_OWN)
BATCH = optional(
    "batch",
    group_of(Batch),
    "How events are batched. Requires mode `batch`.",
    otherwise=_API_SERVERS_OWN,
)
TRUNCATE: Setting[bool | Reader | None] = Setting(
    "truncate",
    FlagOrGroup(group_of(Truncate)),
    "Whether events and batches are cut, and above which size.",
    None,
    otherwise="the API server's own: off",
)
SETTINGS = group_of(Delivery).settings


@dataclass(frozen=True, slots=True)
class Defaults:
    """A backend's defaults. A backend that throttles batches has numbers for it, the other one has none."""

    mode: Mode
    """How it takes events."""
    throttles: bool
    """Whether it limits the batches that it sends."""


LOG_DEFAULTS = Defaults(Mode.BLOCKING, throttles=False)
WEBHOOK_DEFAULTS = Defaults(Mode.BATCH, throttles=True)


def parse_delivery(reader: Reader, defaults: Defaults) -> Delivery:
    """The settings ``SETTINGS`` of one backend's mapping."""
    mode = reader.read(MODE)
    batches = (mode or defaults.mode) == Mode.BATCH
    if reader.has(BATCH) and not batches and not reader.is_encrypted(MODE):
        reader.problem(BATCH, f"is given with mode {mode or defaults.mode}", "only with mode batch")
    made = {"mode": mode, "truncate": _truncate(reader)}
    return filled(Delivery, reader, made, batch=lambda batch: _batch(batch, defaults))


def _batch(reader: Reader | None, defaults: Defaults) -> Batch | None:
    if reader is None:
        return None
    return filled(Batch, reader, {"throttle": _throttle(reader, defaults)})


def _throttle(reader: Reader, defaults: Defaults) -> Throttle | None:
    found = reader.read(THROTTLE)
    if found is None or found is False:
        return None if found is None else Throttle(enabled=False)
    if isinstance(found, Reader):
        throttle = Throttle(True, found.read(QPS), found.read(BURST))
        given = {setting.key for setting in (QPS, BURST) if found.has(setting)}
    else:
        throttle, given = Throttle(), set()
    lacking = [setting.key for setting in (QPS, BURST) if setting.key not in given]
    if not defaults.throttles and lacking:
        reader.problem(
            THROTTLE,
            f"lacks {' and '.join(lacking)}",
            "false, or both qps and burst: they are 0 here without being told",
        )
    return throttle


def _truncate(reader: Reader) -> Truncate | None:
    found = reader.read(TRUNCATE)
    if found is None or isinstance(found, bool):
        return None if found is None else Truncate(enabled=found)
    batch, event = found.read(MAX_BATCH_SIZE), found.read(MAX_EVENT_SIZE)
    if (event or DEFAULT_MAX_EVENT_SIZE) > (batch or DEFAULT_MAX_BATCH_SIZE):
        what = f"is {event or DEFAULT_MAX_EVENT_SIZE}" + ("" if event else " without being told")
        found.problem(MAX_EVENT_SIZE, what, f"at most maxBatchSize, {batch or DEFAULT_MAX_BATCH_SIZE}")
    return Truncate(True, batch, event)
