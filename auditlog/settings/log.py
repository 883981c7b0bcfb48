"""The settings of the API server's log backend: a file, or standard output."""

from __future__ import annotations

from auditlog.settings import delivery
from auditlog.settings.model import DEFAULT_LOG_PATH, STDOUT, LogFormat, LogSettings
from auditlog.settings.reader import Reader, is_absolute

_FILE_KEYS = ("maxAge", "maxBackup", "maxSize", "compress")


def parse_log(reader: Reader | None) -> LogSettings | None:
    """None where the log is switched off."""
    if reader is None:
        return LogSettings()
    keys = ("path", *_FILE_KEYS, "format", *delivery.KEYS)
    reader.allow_only("enabled", *keys)
    if reader.boolean("enabled") is False:
        for key in filter(reader.has, keys):
            reader.problem(key, "is given with enabled false", "nothing beside it")
        return None
    path = reader.text("path", _is_path, f"an absolute path on the nodes, or {STDOUT!r} for standard output")
    if path == STDOUT:
        for key in filter(reader.has, _FILE_KEYS):
            reader.problem(key, f"is given with path {STDOUT!r}", "only with a file")
    return LogSettings(
        path=path or DEFAULT_LOG_PATH,
        max_age=reader.integer("maxAge", 0, 36500, 30),
        max_backup=reader.integer("maxBackup", 0, 100000, 10),
        max_size=reader.integer("maxSize", 1, 1_000_000, 100),
        compress=reader.boolean("compress"),
        format=reader.optional_choice("format", LogFormat),
        delivery=delivery.parse_delivery(reader, delivery.LOG_DEFAULTS),
    )


def _is_path(value: str) -> bool:
    return value == STDOUT or is_absolute(value)
