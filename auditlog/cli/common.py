"""What the commands share: arguments, policies by name, and the progress bar."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tqdm import tqdm

from auditlog.policy.model import Policy
from auditlog.policy.presets import PresetError, preset_names, preset_text
from auditlog.policy.read import read_policy

LOG_HELP = (
    "a log file (its rotated files are found), a folder with a log or with one folder per node, or - for standard "
    "input; NODE= may stand before it: cp1=/var/log/kubernetes/audit/audit.log"
)

POLICY_HELP = "a policy file, preset:NAME, or - for standard input"
STDIN = "-"

_PRESET_PREFIX = "preset:"
_AGO = re.compile(r"(\d+)([smhdw])")
_AGO_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class UsageError(Exception):
    """An argument that cannot be used; the message names it and says what is allowed."""


def add_logs(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """The positional arguments that name logs, and --json. Not required where the log may come from elsewhere."""
    parser.add_argument("logs", nargs="+" if required else "*", metavar="LOG", help=LOG_HELP)
    parser.add_argument("--json", action="store_true", help="write JSON for programs instead of tables")


def parse_moment(text: str) -> datetime:
    """A point in time: `2025-02-21T10:00:00Z`, `2025-02-21 10:00`, `2025-02-21`, or `24h` for 24 hours ago.

    It is UTC unless it says otherwise.

    Raises:
        argparse.ArgumentTypeError: none of these.
    """
    if match := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_AGO_UNITS[match[2]]: int(match[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time: 2025-02-21T10:00:00Z, '2025-02-21 10:00', 2025-02-21, or 30m, 24h, 7d ago"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def named_policy(name: str) -> Policy:
    """The policy that a person names: a file, ``preset:NAME``, or ``-`` for standard input.

    Raises:
        UsageError: it cannot be read.
        PolicyError: the text is no valid policy.
    """
    source, text = policy_text(name)
    return read_policy(text, source)


def policy_text(name: str) -> tuple[str, str]:
    """Name for messages, and text, of a policy as in `named_policy`. Raises UsageError when it cannot be read."""
    if name.startswith(_PRESET_PREFIX):
        try:
            return name, preset_text(name.removeprefix(_PRESET_PREFIX))
        except PresetError as problem:
            raise UsageError(str(problem)) from problem
    source = "standard input" if name == STDIN else name
    try:
        text = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
        return source, text.decode()
    except UnicodeDecodeError as problem:
        raise UsageError(f"{source}: not UTF-8 text") from problem
    except OSError as problem:
        hint = f"; did you mean preset:{name}?" if name in preset_names() else ""
        raise UsageError(f"{source}: {problem.strerror}{hint}; {POLICY_HELP}") from problem


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[int], object]]:
    """A bar on standard error while it is a terminal; `total` is in bytes, 0 when it is not known."""
    # Its monitor is a thread, and only a program without threads can fork its workers safely.
    tqdm.monitor_interval = 0
    with tqdm(total=total or None, unit="B", unit_scale=True, disable=not sys.stderr.isatty(), leave=False) as bar:
        yield bar.update
