"""The settings of the API server's log backend: a file, or standard output."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated, Any

from auditlog.events.budget import MEGABYTE, Budget, BudgetError, parse_size
from auditlog.settings import delivery
from auditlog.settings.kinds import Boolean, Choice, Integer, Text
from auditlog.settings.reader import Group, Reader
from auditlog.settings.record import filled, group_of
from auditlog.settings.setting import Encrypted, Setting, defaulted, optional, required
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
    budget: Annotated[Budget | None, BUDGET] = None
    """For how long the log is to be kept, in how much space on each node; None where nothing is promised."""

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
DAYS = required("days", Integer(1, 36500), "Days that each node is to keep its log.")


def _is_size(text: str) -> bool:
    try:
        return parse_size(text) >= 2 * MEGABYTE
    except BudgetError:
        return False


SIZE = required(
    "size",
    Text("a size of 2MiB or more, such as 10GiB", r"\d+(\.\d+)?\s*([KMGTkmgt]?[iI]?[bB]?)", _is_size),
    "The space for it on each node, before compression: `10GiB`.",
)
BUDGET = optional(
    "budget",
    Group((DAYS, SIZE)),
    "For how long to keep the log in how much space. `maxSize`, `maxBackup` and `maxAge` follow from it if not given; "
    "previews and an alert report when the log no longer meets it.",
)
COMPRESS = optional("compress", Boolean(), "Whether rotated files are compressed.", otherwise="the API server's own")
FORMAT = optional(
    "format",
    Choice(LogFormat),
    "The format of a line. Everything that reads the log, here and in Loki, requires `json`.",
    otherwise="the API server's own: json",
)
_FILE_ONLY: tuple[Setting[Any], ...] = (MAX_AGE, MAX_BACKUP, MAX_SIZE, BUDGET, COMPRESS)
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
    made = {
        "path": path,
        "delivery": delivery.parse_delivery(reader, delivery.LOG_DEFAULTS),
        "budget": _budget(reader),
    }
    log = filled(LogSettings, reader, made)
    return log if log.budget is None else _within(log, log.budget, reader)


def _budget(reader: Reader) -> Budget | None:
    given = reader.read(BUDGET)
    if given is None:
        return None
    days, size = given.read(DAYS), given.read(SIZE)
    # A size that is encrypted can be read when the stack is, and not before.
    return None if days is None or size is None or isinstance(size, Encrypted) else Budget(days, parse_size(size))


def _within(log: LogSettings, budget: Budget, reader: Reader) -> LogSettings:
    """The log with the limits that follow from the budget. Those that are given stay, and have to fit it."""
    space = budget.bytes // MEGABYTE
    share = max(1, space // (log.max_backup + 1))
    size = log.max_size
    if not reader.has(MAX_SIZE):
        size = share if reader.has(MAX_BACKUP) else min(size, share)
    files = log.max_backup + 1 if reader.has(MAX_BACKUP) else max(2, space // size)
    if log.max_backup == 0 and reader.has(MAX_BACKUP):
        reader.problem(MAX_BACKUP, "is 0, which keeps every file, with a budget", "1 or more, or nothing")
    elif size * files > space:
        guilty = MAX_BACKUP if reader.has(MAX_BACKUP) else MAX_SIZE
        most = f"{guilty.key} with which the files take at most {space} MB (budget.size), or nothing"
        reader.problem(guilty, f"makes the files take {size * files} MB", most)
    age = log.max_age if reader.has(MAX_AGE) else max(log.max_age, math.ceil(budget.days))
    if 0 < age < budget.days:
        reader.problem(MAX_AGE, f"is {age}", f"0, or {budget.days:g} (budget.days) or more, or nothing")
    return replace(log, max_size=size, max_backup=files - 1, max_age=age)
