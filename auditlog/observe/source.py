"""The files on a node with the events to ship: the API server's log, or its container's output."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from auditlog.node_paths import POD_LOGS
from auditlog.settings import STDOUT

# How lumberjack, the API server's log writer, stamps a rotated file: 2006-01-02T15-04-05.000 (its backupTimeFormat).
_LUMBERJACK_STAMP = "????-??-??T??-??-??.???"
# How kubelet stamps a rotated container log: 20060102-150405 (pkg/kubelet/logs, timestampFormat).
_KUBELET_STAMP = "????????-??????"
# A canary is a static pod of its own beside the real one, with names that start alike.
_API_SERVERS = f"{POD_LOGS}/kube-system_kube-apiserver*/kube-apiserver*"


@dataclass(frozen=True, slots=True)
class Source:
    """Shell patterns of the files on a node that hold events.

    ``live`` are written to, ``rotated`` are whole and plain, ``compressed`` are gzip. ``folder`` holds all of them.
    ``container_format`` is true if a container runtime wraps each line and mixes in other output.
    """

    folder: str
    live: tuple[str, ...]
    rotated: tuple[str, ...]
    compressed: tuple[str, ...]
    container_format: bool = False


def source_of(log_path: str) -> Source:
    """The files with the events, if the API server writes to ``log_path``: a file, or ``-`` for standard output."""
    return container_logs() if log_path == STDOUT else log_files(log_path)


def log_files(path: str) -> Source:
    """The API server's log file at ``path``, the canary's beside it, and the rotated files of both."""
    log = PurePosixPath(path)
    stems = [str(log.with_name(log.stem + part)) for part in ("", "-canary")]
    rotated = tuple(f"{stem}-{_LUMBERJACK_STAMP}{log.suffix}" for stem in stems)
    return Source(
        folder=str(log.parent),
        live=tuple(f"{stem}{log.suffix}" for stem in stems),
        rotated=rotated,
        compressed=tuple(f"{each}.gz" for each in rotated),
    )


def container_logs() -> Source:
    """The container logs of the node's API server and of a canary, in kubelet's layout."""
    rotated = f"{_API_SERVERS}/*.log.{_KUBELET_STAMP}"
    return Source(
        folder=POD_LOGS,
        live=(f"{_API_SERVERS}/*.log",),
        rotated=(rotated,),
        compressed=(f"{rotated}.gz",),
        container_format=True,
    )
