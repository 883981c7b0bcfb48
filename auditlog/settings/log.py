"""The settings of the API server's log backend: a file, or standard output."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from auditlog.settings import delivery
from auditlog.settings.kinds import Boolean, Choice, Integer, Text
from auditlog.settings.reader import Group, Reader
from auditlog.settings.record import filled, group_of
from auditlog.settings.setting import Setting, defaulted, optional
from auditlog.settings.texts import ABSOLUTE_PATH, is_absolute

DEFAULT_LOG_PATH = "/var/log/kubernetes/audit/audit.log"
STDOUT = "-"
"""The path by which the API server writes events to its standard output."""


class LogFormat(StrEnum):
    """How a line of the log is written (k8s.io/apiserver plugin/pkg/audit/log/backend.go, AllowedFormats)."""

    JSON = "json"
    LEGACY = "legacy"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The API server's log backend: a file, or standard output."""

    path: Annotated[str, PATH] = DEFAULT_LOG_PATH
    """The log's absolute path on the nodes, or `-` for standard output."""
    max_age: Annotated[int, MAX_AGE] = 30
    """Days that rotated files are kept; 0 for no limit. Meaningless for standard output."""
    max_backup: Annotated[int, MAX_BACKUP] = 10
    """Rotated files that are kept; 0 for no limit. Meaningless for standard output."""
    max_size: Annotated[int, MAX_SIZE] = 100
    """Megabytes at which the file is rotated. Meaningless for standard output."""
    compress: Annotated[bool | None, COMPRESS] = None
    """Whether rotated files are compressed; None for the API server's default."""
    format: Annotated[LogFormat | None, FORMAT] = None
    """How a line is written; None for the API server's default, JSON."""
    delivery: delivery.Delivery = field(default_factory=delivery.Delivery)
    """How events reach the log."""

    @property
    def is_file(self) -> bool:
        return self.path != STDOUT


_DEFAULT = LogSettings()

ENABLED = defaulted("enabled", Boolean(), True, "Whether to write a log. Set `false` if a webhook is enough.")
PATH = defaulted(
    "path",
    Text(
        f"an absolute path on the nodes, or {STDOUT!r} for standard output",
        f"{STDOUT}|{ABSOLUTE_PATH}",
        lambda value: value == STDOUT or is_absolute(value),
    ),
    _DEFAULT.path,
    f"The log on the nodes. `{STDOUT}` writes to standard output, which kubelet rotates.",
)
MAX_AGE = defaulted("maxAge", Integer(0, 36500), _DEFAULT.max_age, "Days to keep rotated files; 0 for no limit.")
MAX_BACKUP = defaulted(
    "maxBackup", Integer(0, 100000), _DEFAULT.max_backup, "Number of rotated files to keep; 0 for no limit."
)
MAX_SIZE = defaulted(
    "maxSize", Integer(1, 1_000_000), _DEFAULT.max_size, "Size in megabytes at which the file is rotated."
)
COMPRESS = optional("compress", Boolean(), "Whether rotated files are compressed.", otherwise="the API server's own")
FORMAT = optional(
    "format",
    Choice(LogFormat),
    "The format of a line. Everything that reads the log, here and in Loki, requires `json`.",
    otherwise="the API server's own: json",
)
_FILE_ONLY: tuple[Setting[Any], ...] = (MAX_AGE, MAX_BACKUP, MAX_SIZE, COMPRESS)
_BESIDE_ENABLED: tuple[Setting[Any], ...] = (*group_of(LogSettings).settings, *delivery.SETTINGS)
LOG = Group((ENABLED, *_BESIDE_ENABLED))


def parse_log(reader: Reader | None) -> LogSettings | None:
    """None where the log is switched off."""
    if reader is None:
        return LogSettings()
    if not reader.read(ENABLED):
        for setting in filter(reader.has, _BESIDE_ENABLED):
            reader.problem(setting, "is given with enabled false", "nothing beside it")
        return None
    path = reader.read(PATH)
    if path == STDOUT:
        for setting in filter(reader.has, _FILE_ONLY):
            reader.problem(setting, f"is given with path {STDOUT!r}", "only with a file")
    made = {"path": path, "delivery": delivery.parse_delivery(reader, delivery.LOG_DEFAULTS)}
    return filled(LogSettings, reader, made)
