"""Where an API server sends its audit events, as its flags say, with the defaults of its version.

Flags and defaults: k8s.io/apiserver pkg/server/options/audit.go, 1.30 to 1.37. Versions differ only in the rotation of
the log file (kubernetes/kubernetes#136478):

- Since 1.36 the defaults keep a file for 366 days, and 100 files. --audit-log-maxsize=0 turns rotation off.
- Before, nothing was ever deleted by default, and 0 meant 100 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditlog.events.budget import MEGABYTE
from auditlog.manifest.audit_flags import (
    LOG,
    LOG_FLAG,
    MAX_AGE_FLAG,
    MAX_BACKUP_FLAG,
    MAX_SIZE_FLAG,
    WEBHOOK,
    WEBHOOK_FLAG,
    value_of,
)
from auditlog.settings import STDOUT

RETENTION_MINOR = 36
"""The first minor version that deletes rotated files without being told to."""

_LUMBERJACK_MEGABYTES = 100


@dataclass(frozen=True, slots=True)
class LogBackend:
    """The log file, or standard output where ``path`` is "-". ``mode`` is blocking, blocking-strict or batch.

    ``max_age`` is in days and ``max_backup`` in files, 0 for no limit; ``max_size`` in megabytes, None where the file
    is not rotated. ``unset`` names the rotation flags that are not given, whose values are the version's own.
    """

    path: str
    mode: str
    max_age: int
    max_backup: int
    max_size: int | None
    unset: tuple[str, ...]

    @property
    def worst_case_bytes(self) -> int | None:
        """The most the log and its rotated files take; None where nothing bounds it, or the log is no file.

        Age bounds no size, since a busy day writes any number of files.
        """
        if self.path == STDOUT or self.max_size is None or self.max_backup == 0:
            return None
        return self.max_size * MEGABYTE * (self.max_backup + 1)


@dataclass(frozen=True, slots=True)
class WebhookBackend:
    """A server that events are sent to; ``config_file`` is a kubeconfig in the container."""

    config_file: str
    mode: str


def log_backend(flags: Mapping[str, str], minor: int) -> LogBackend | None:
    """The file backend that the flags of an API server of 1.``minor`` ask for; None without one."""
    path = flags.get(LOG_FLAG)
    if not path:
        return None
    retains = minor >= RETENTION_MINOR
    defaults = {
        MAX_AGE_FLAG: 366 if retains else 0,
        MAX_BACKUP_FLAG: 100 if retains else 0,
        MAX_SIZE_FLAG: 100 if retains else 0,
    }
    values = {name: _whole_number(flags.get(name), default) for name, default in defaults.items()}
    size = values[MAX_SIZE_FLAG]
    return LogBackend(
        path=path,
        mode=value_of(flags, LOG.flag("mode")),
        max_age=values[MAX_AGE_FLAG],
        max_backup=values[MAX_BACKUP_FLAG],
        max_size=size or (None if retains else _LUMBERJACK_MEGABYTES),
        unset=tuple(name for name in defaults if name not in flags),
    )


def webhook_backend(flags: Mapping[str, str]) -> WebhookBackend | None:
    """The webhook backend that the flags ask for; None without one."""
    path = flags.get(WEBHOOK_FLAG)
    return WebhookBackend(path, value_of(flags, WEBHOOK.flag("mode"))) if path else None


def _whole_number(text: str | None, default: int) -> int:
    # An API server with any other value does not start, so its defaults are as good a guess as any.
    return int(text) if text is not None and text.isdecimal() else default
