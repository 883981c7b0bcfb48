"""The settings of the API server's file backend."""

from __future__ import annotations

from auditlog.settings.model import DEFAULT_LOG_PATH, LogSettings
from auditlog.settings.reader import Reader, is_absolute


def parse_log(reader: Reader | None) -> LogSettings:
    if reader is None:
        return LogSettings()
    reader.allow_only("path", "maxAge", "maxBackup", "maxSize")
    return LogSettings(
        path=reader.text("path", is_absolute, "an absolute path on the nodes") or DEFAULT_LOG_PATH,
        max_age=reader.integer("maxAge", 0, 36500, 30),
        max_backup=reader.integer("maxBackup", 0, 100000, 10),
        max_size=reader.integer("maxSize", 1, 1_000_000, 100),
    )
