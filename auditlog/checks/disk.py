"""Whether the log, at its largest, fits on the disk that it is written to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from auditlog.checks.finding import Finding, Severity
from auditlog.events.budget import MEGABYTE, Budget
from auditlog.manifest.audit_flags import MAX_BACKUP_FLAG
from auditlog.manifest.backends import LogBackend
from auditlog.nodes.facts import Facts
from auditlog.settings import STDOUT

IMAGE_COLLECTION_SHARE = 0.15
"""What kubelet wants free of the images' file system, by default. Below it images that no container uses are deleted
(imageGCHighThresholdPercent 85). At 0.10 pods are evicted (evictionHard nodefs.available)."""


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes for the log file: the most it takes (None: no limit), what it takes now, and what is free beside it.

    ``size`` is the size of the whole file system, 0 if it is not known.
    """

    worst_case: int | None
    used: int
    free: int
    size: int = 0

    @property
    def room(self) -> int:
        """What the log can grow to before the disk is full."""
        return self.free + self.used


def disk_of(log: LogBackend | None, facts: Facts) -> Disk | None:
    """The disk of a log file; None without one."""
    if log is None or log.path == STDOUT:
        return None
    return Disk(log.worst_case_bytes, facts.log_used_bytes, facts.log_free_bytes, facts.log_size_bytes)


def disk_findings(log: LogBackend | None, facts: Facts, budget: Budget | None = None) -> Iterator[Finding]:
    """Whether the log's worst case, maxsize x (maxbackup + 1), is bounded, fits, and leaves enough for kubelet.

    ``budget`` is the one that the flags follow, None for flags that are given themselves.
    """
    disk = disk_of(log, facts)
    if log is None or disk is None:
        return
    lower = f"lower {'--audit-log-maxbackup or --audit-log-maxsize' if budget is None else 'auditLog.budget.size'}"
    if disk.worst_case is None:
        yield Finding(
            "disk-unbounded",
            _why_unbounded(log),
            "the log grows until the disk is full, and a full disk takes the API server and etcd with it",
            remedy="set --audit-log-maxbackup and --audit-log-maxsize",
        )
    elif disk.worst_case > disk.room:
        yield Finding(
            "disk-too-small",
            f"the log may take {_most(log)}, and its file system has room for {disk.room // MEGABYTE} MB",
            "the disk is full before the first file is deleted, and a full disk takes the API server and etcd with it",
            Severity.ERROR,
            lower,
        )
    elif disk.room - disk.worst_case < disk.size * IMAGE_COLLECTION_SHARE:
        left = disk.room - disk.worst_case
        yield Finding(
            "disk-tight",
            f"the log may take {_most(log)}, which leaves {left // MEGABYTE} MB free, "
            f"{left * 100 // disk.size} % of its file system",
            "with less than 15 % free kubelet deletes images, with less than 10 % it evicts pods",
            remedy=f"{lower}, or give the log its own disk",
        )


def _most(log: LogBackend) -> str:
    return f"{log.max_size} MB x ({log.max_backup} + 1) files{_defaults(log)}"


def _defaults(log: LogBackend) -> str:
    return f" ({', '.join(f'--{name}' for name in log.unset)} by this version's default)" if log.unset else ""


def _why_unbounded(log: LogBackend) -> str:
    if log.max_size is None:
        return "--audit-log-maxsize=0 turns rotation off"
    if MAX_BACKUP_FLAG in log.unset:
        return "--audit-log-maxbackup is not set, and this Kubernetes version then keeps every file"
    return "--audit-log-maxbackup=0 keeps every file"
