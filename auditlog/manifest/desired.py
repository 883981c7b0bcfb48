"""What audit logging asks of an API server: its flags, and the files of the node that it must see.

Flag names and defaults: k8s.io/apiserver pkg/server/options/audit.go. Paths, rotation and volume names: seed
000_05e3394e1aae7e61.txt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from auditlog.settings import Batch, Delivery, LogSettings, PolicySettings, Throttle, Truncate, WebhookSettings

POLICY_ANNOTATION = "kubernetes-audit/policy-sha256"
WEBHOOK_ANNOTATION = "kubernetes-audit/webhook-sha256"

POLICY_FLAG = "audit-policy-file"
LOG_FLAG = "audit-log-path"
WEBHOOK_FLAG = "audit-webhook-config-file"
LOG_MOUNT = "audit-logs"


@dataclass(frozen=True, slots=True)
class Flag:
    """One ``--name=value`` of kube-apiserver; ``name`` without the dashes."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"--{self.name}={self.value}"


@dataclass(frozen=True, slots=True)
class HostMount:
    """A file or folder of the node, mounted at the same path into the API server's container.

    ``path_type`` is a hostPath type. The log is mounted as its folder, never as the file: rotation renames it, and a
    file that is mounted by itself cannot be renamed.
    """

    name: str
    path: str
    read_only: bool
    path_type: str


@dataclass(frozen=True, slots=True)
class AuditConfiguration:
    """Everything of audit logging that the manifest and kubeadm-config hold."""

    flags: tuple[Flag, ...]
    mounts: tuple[HostMount, ...]


def audit_configuration(
    policy: PolicySettings, log: LogSettings | None, webhook: WebhookSettings | None = None
) -> AuditConfiguration:
    """The flags and mounts that these settings ask for, and no flag that they do not name.

    A log file's path and rotation are always named.
    """
    flags = [Flag(POLICY_FLAG, policy.path)]
    mounts = [_file_mount("audit-policy", policy.path)]
    if log is not None:
        flags += _log_flags(log)
        if log.is_file:
            folder = str(PurePosixPath(log.path).parent)
            mounts.append(HostMount(LOG_MOUNT, folder, read_only=False, path_type="DirectoryOrCreate"))
    if webhook is not None:
        flags += _webhook_flags(webhook)
        mounts.append(_file_mount("audit-webhook", webhook.path))
    return AuditConfiguration(tuple(flags), tuple(mounts))


def sha256(text: str) -> str:
    """The hash that ``sha256sum`` prints for a file with this text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _file_mount(name: str, path: str) -> HostMount:
    return HostMount(name, path, read_only=True, path_type="File")


def _log_flags(log: LogSettings) -> Iterator[Flag]:
    yield Flag(LOG_FLAG, log.path)
    if log.is_file:
        yield from _named("audit-log", maxage=log.max_age, maxbackup=log.max_backup, maxsize=log.max_size)
    yield from _named("audit-log", compress=log.compress, format=log.format)
    yield from _delivery_flags("audit-log", log.delivery)


def _webhook_flags(webhook: WebhookSettings) -> Iterator[Flag]:
    yield Flag(WEBHOOK_FLAG, webhook.path)
    yield from _named("audit-webhook", initial_backoff=webhook.initial_backoff)
    yield from _delivery_flags("audit-webhook", webhook.delivery)


def _delivery_flags(backend: str, delivery: Delivery) -> Iterator[Flag]:
    yield from _named(backend, mode=delivery.mode, version=delivery.version)
    batch = delivery.batch or Batch()
    yield from _named(
        f"{backend}-batch", buffer_size=batch.buffer_size, max_size=batch.max_size, max_wait=batch.max_wait
    )
    if batch.throttle is not None:
        yield from _throttle_flags(f"{backend}-batch-throttle", batch.throttle)
    if delivery.truncate is not None:
        yield from _truncate_flags(f"{backend}-truncate", delivery.truncate)


def _throttle_flags(prefix: str, throttle: Throttle) -> Iterator[Flag]:
    yield from _named(prefix, enable=throttle.enabled, qps=throttle.qps, burst=throttle.burst)


def _truncate_flags(prefix: str, truncate: Truncate) -> Iterator[Flag]:
    yield from _named(
        prefix,
        enabled=truncate.enabled,
        max_batch_size=truncate.max_batch_size,
        max_event_size=truncate.max_event_size,
    )


def _named(prefix: str, **values: str | float | bool | None) -> Iterator[Flag]:
    """A flag for every value that is set."""
    for name, value in values.items():
        if value is not None:
            yield Flag(f"{prefix}-{name.replace('_', '-')}", _written(value))


def _written(value: str | float | bool) -> str:
    """As the API server itself prints a flag's value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
