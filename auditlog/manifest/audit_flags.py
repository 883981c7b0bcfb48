"""kube-apiserver's audit flags, a row each: what it holds, the setting that it comes from, what is refused.

Names, kinds, defaults and what is refused: k8s.io/apiserver pkg/server/options/audit.go, the same from 1.30 to 1.37 but
for the rotation of the log (``auditlog.manifest.backends``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from auditlog.manifest.flag_values import Kind, is_true, read
from auditlog.settings import (
    Batch,
    Delivery,
    LogFormat,
    LogSettings,
    Mode,
    PolicySettings,
    Throttle,
    Truncate,
    WebhookSettings,
)
from auditlog.settings.delivery import (
    DEFAULT_MAX_BATCH_SIZE,
    DEFAULT_MAX_EVENT_SIZE,
    LOG_DEFAULTS,
    VERSIONS,
    WEBHOOK_DEFAULTS,
    Defaults,
)

AUDIT = "audit-"
POLICY_FLAG = "audit-policy-file"


@dataclass(frozen=True, slots=True)
class Backend:
    """The log or the webhook. ``path`` is the flag without which the API server has none."""

    prefix: str
    path: str
    defaults: Defaults

    def flag(self, name: str) -> str:
        """The name of this backend's flag: ``audit-log-mode`` for ``mode``."""
        return f"{self.prefix}-{name}"

    def is_on(self, flags: Mapping[str, str]) -> bool:
        """Whether these flags ask for it."""
        return bool(flags.get(self.path))


LOG_FLAG = "audit-log-path"
WEBHOOK_FLAG = "audit-webhook-config-file"
LOG = Backend("audit-log", LOG_FLAG, LOG_DEFAULTS)
WEBHOOK = Backend("audit-webhook", WEBHOOK_FLAG, WEBHOOK_DEFAULTS)
BACKENDS = (LOG, WEBHOOK)

ROTATION_FLAGS = MAX_AGE_FLAG, MAX_BACKUP_FLAG, MAX_SIZE_FLAG = (
    "audit-log-maxage",
    "audit-log-maxbackup",
    "audit-log-maxsize",
)
STANDARD_FLAGS = (POLICY_FLAG, LOG_FLAG, *ROTATION_FLAGS)
"""What every stack with a log file sets."""
FILE_FLAGS = (POLICY_FLAG, LOG_FLAG, WEBHOOK_FLAG)
"""Those that name a file; their default is empty."""


class LookedAt(Enum):
    """When the API server looks at a flag of a backend that is on."""

    ALWAYS = auto()
    WITH_BATCHES = auto()
    WITH_THROTTLE = auto()


@dataclass(frozen=True, slots=True)
class Allowed:
    """The values with which the API server starts; ``what`` says them to people."""

    what: str
    accepts: Callable[[str], bool]


Value = str | float | bool | None


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """What of a stack's settings becomes audit flags."""

    policy: PolicySettings
    log: LogSettings | None
    webhook: WebhookSettings | None


@dataclass(frozen=True, slots=True)
class AuditFlag:
    """One flag; ``name`` without the dashes.

    ``setting`` gives its value in a stack, None for a flag that is not set. ``default`` is what the API server takes
    without it, "" where that is nothing or depends on the version. ``successor`` is the flag that a deprecated one is
    to be replaced by.
    """

    name: str
    kind: Kind
    setting: Callable[[AuditSettings], Value]
    backend: Backend | None = None
    allowed: Allowed | None = None
    looked_at: LookedAt = LookedAt.ALWAYS
    default: str = ""
    successor: str | None = None


def _one_of(values: Iterable[str], separator: str = " or ", lead: str = "") -> Allowed:
    known = tuple(map(str, values))
    return Allowed(lead + separator.join(known), known.__contains__)


def _is_positive(value: str) -> bool:
    return value.isdecimal() and int(value) > 0


def _is_positive_number(value: str) -> bool:
    try:
        return float(value) > 0
    except ValueError:
        return False


_NOT_NEGATIVE = Allowed("a whole number, 0 or more", str.isdecimal)
_POSITIVE = Allowed("a whole number, 1 or more", _is_positive)
_BYTES = Allowed("a number of bytes, 1 or more", _is_positive)
_ABOVE_ZERO = Allowed("a number above 0", _is_positive_number)


def _of_log(value: Callable[[LogSettings], Value]) -> Callable[[AuditSettings], Value]:
    return lambda settings: None if settings.log is None else value(settings.log)


def _of_file(value: Callable[[LogSettings], Value]) -> Callable[[AuditSettings], Value]:
    """Of a log that is a file: a stack names its rotation always."""
    return _of_log(lambda log: value(log) if log.is_file else None)


def _of_webhook(value: Callable[[WebhookSettings], Value]) -> Callable[[AuditSettings], Value]:
    return lambda settings: None if settings.webhook is None else value(settings.webhook)


def _no_setting(_: AuditSettings) -> Value:
    return None


@dataclass(frozen=True, slots=True)
class _Delivery:
    """Makes the rows that both backends have. ``of`` reads the settings of this one's delivery."""

    backend: Backend
    of: Callable[[Callable[[Delivery], Value]], Callable[[AuditSettings], Value]]

    def rows(self) -> Iterator[AuditFlag]:
        defaults = self.backend.defaults
        modes = _one_of(Mode, ", ", "one of ")
        yield self.row("mode", Kind.TEXT, lambda delivery: delivery.mode, modes, default=str(defaults.mode))
        yield self.row("version", Kind.TEXT, lambda delivery: delivery.version, _one_of(VERSIONS))
        yield self.batch("buffer-size", Kind.INTEGER, lambda batch: batch.buffer_size, _POSITIVE)
        yield self.batch("max-size", Kind.INTEGER, lambda batch: batch.max_size, _POSITIVE)
        yield self.batch("max-wait", Kind.DURATION, lambda batch: batch.max_wait)
        throttles = "true" if defaults.throttles else "false"
        yield self.throttle("enable", Kind.BOOLEAN, lambda throttle: throttle.enabled, default=throttles)
        yield self.throttle("qps", Kind.NUMBER, lambda throttle: throttle.qps, _ABOVE_ZERO)
        yield self.throttle("burst", Kind.INTEGER, lambda throttle: throttle.burst, _POSITIVE)
        yield self.truncate("enabled", Kind.BOOLEAN, lambda cut: cut.enabled, "false")
        batch_size, event_size = str(DEFAULT_MAX_BATCH_SIZE), str(DEFAULT_MAX_EVENT_SIZE)
        yield self.truncate("max-batch-size", Kind.INTEGER, lambda cut: cut.max_batch_size, batch_size)
        yield self.truncate("max-event-size", Kind.INTEGER, lambda cut: cut.max_event_size, event_size, _BYTES)

    def row(
        self,
        name: str,
        kind: Kind,
        value: Callable[[Delivery], Value],
        allowed: Allowed | None = None,
        looked_at: LookedAt = LookedAt.ALWAYS,
        default: str = "",
    ) -> AuditFlag:
        return AuditFlag(self.backend.flag(name), kind, self.of(value), self.backend, allowed, looked_at, default)

    def batch(
        self, name: str, kind: Kind, value: Callable[[Batch], Value], allowed: Allowed | None = None
    ) -> AuditFlag:
        def of_batch(delivery: Delivery) -> Value:
            return value(delivery.batch) if delivery.batch else None

        return self.row(f"batch-{name}", kind, of_batch, allowed, LookedAt.WITH_BATCHES)

    def throttle(
        self,
        name: str,
        kind: Kind,
        value: Callable[[Throttle], Value],
        allowed: Allowed | None = None,
        default: str = "",
    ) -> AuditFlag:
        def of_throttle(delivery: Delivery) -> Value:
            return value(delivery.batch.throttle) if delivery.batch and delivery.batch.throttle else None

        return self.row(f"batch-throttle-{name}", kind, of_throttle, allowed, LookedAt.WITH_THROTTLE, default)

    def truncate(
        self,
        name: str,
        kind: Kind,
        value: Callable[[Truncate], Value],
        default: str,
        allowed: Allowed | None = None,
    ) -> AuditFlag:
        def of_truncate(delivery: Delivery) -> Value:
            return value(delivery.truncate) if delivery.truncate else None

        return self.row(f"truncate-{name}", kind, of_truncate, allowed, default=default)


_BACKOFF = "audit-webhook-initial-backoff"
AUDIT_FLAGS = (
    AuditFlag(POLICY_FLAG, Kind.TEXT, lambda settings: settings.policy.path),
    AuditFlag(LOG_FLAG, Kind.TEXT, _of_log(lambda log: log.path), LOG),
    AuditFlag(MAX_AGE_FLAG, Kind.INTEGER, _of_file(lambda log: log.max_age), LOG, _NOT_NEGATIVE),
    AuditFlag(MAX_BACKUP_FLAG, Kind.INTEGER, _of_file(lambda log: log.max_backup), LOG, _NOT_NEGATIVE),
    AuditFlag(MAX_SIZE_FLAG, Kind.INTEGER, _of_file(lambda log: log.max_size), LOG, _NOT_NEGATIVE),
    AuditFlag("audit-log-compress", Kind.BOOLEAN, _of_log(lambda log: log.compress), LOG),
    AuditFlag("audit-log-format", Kind.TEXT, _of_log(lambda log: log.format), LOG, _one_of(LogFormat)),
    *_Delivery(LOG, lambda value: _of_log(lambda log: value(log.delivery))).rows(),
    AuditFlag(WEBHOOK_FLAG, Kind.TEXT, _of_webhook(lambda webhook: webhook.path), WEBHOOK),
    AuditFlag(_BACKOFF, Kind.DURATION, _of_webhook(lambda webhook: webhook.initial_backoff), WEBHOOK),
    AuditFlag("audit-webhook-batch-initial-backoff", Kind.DURATION, _no_setting, WEBHOOK, successor=_BACKOFF),
    *_Delivery(WEBHOOK, lambda value: _of_webhook(lambda webhook: value(webhook.delivery))).rows(),
)
"""Every audit flag, in the order in which they are written into a manifest."""

BY_NAME = {flag.name: flag for flag in AUDIT_FLAGS}


def value_of(flags: Mapping[str, str], name: str) -> str:
    """The value that holds for an API server with these flags: the given one, or the default of every version."""
    return flags.get(name, BY_NAME[name].default)


def is_looked_at(flag: AuditFlag, flags: Mapping[str, str]) -> bool:
    """Whether an API server with these flags looks at this one when it starts."""
    if flag.backend is None:
        return True
    if not flag.backend.is_on(flags):
        return False
    batches = value_of(flags, flag.backend.flag("mode")) == Mode.BATCH
    match flag.looked_at:
        case LookedAt.ALWAYS:
            return True
        case LookedAt.WITH_BATCHES:
            return batches
        case LookedAt.WITH_THROTTLE:
            return batches and is_true(value_of(flags, flag.backend.flag("batch-throttle-enable")))


def is_boolean(name: str) -> bool:
    """Whether the flag is an audit flag that may stand without a value, which then is true."""
    return name in BY_NAME and BY_NAME[name].kind is Kind.BOOLEAN


def means_the_same(name: str, one: str | None, other: str | None) -> bool:
    """Whether the API server reads both values of ``--name`` alike; None is a flag without a value.

    A value that it would refuse means the same as itself only.
    """
    if one == other:
        return True
    kind = BY_NAME[name].kind if name in BY_NAME else Kind.TEXT
    read_one, read_other = read(kind, one), read(kind, other)
    return read_one is not None and read_one == read_other
