"""What the commands share: arguments, times, and policies by name."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from auditlog.errors import AuditlogError
from auditlog.policy.lint import Finding, reading_findings
from auditlog.policy.model import Policy
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.report import findings_above, with_findings
from auditlog.policy.validate import policy_as_read

LOG_HELP = (
    "a log file with its rotated files, a folder with a log or with one folder per node, or - for standard input. "
    "Name its node in front of it: cp1=/var/log/kubernetes/audit/audit.log"
)

POLICY_HELP = "a policy file, preset:NAME, or - for standard input"
STDIN = "-"

_PRESET_PREFIX = "preset:"
_AGO = re.compile(r"(\d+[wdhms])+")
_AGO_PART = re.compile(r"(\d+)([wdhms])")
_AGO_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_CLOCK = re.compile(r"(\d\d?):(\d\d)(?::(\d\d))?Z?")

TIME_HELP = "2025-02-21T10:00:00Z, '2025-02-21 10:00', 19:40, today, yesterday, or 1h30m, 2d ago; UTC"


class UsageError(AuditlogError):
    """An argument that cannot be used; the message names it and says what is allowed."""


def print_help(parser: argparse.ArgumentParser) -> int:
    """What a command does that has commands of its own and was given none."""
    parser.print_help()
    return 0


def add_logs(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """The positional arguments that name logs, and --output. Not required where the log may come from elsewhere."""
    parser.add_argument("logs", nargs="+" if required else "*", metavar="LOG", help=LOG_HELP)
    add_output(parser, ("text", "wide", "json"))


def add_output(
    parser: argparse._ActionsContainer, formats: Sequence[str] = ("text", "json"), more_help: str = ""
) -> None:
    """``-o``, and the names it had before: ``--format`` and ``--json``. ``formats`` begins with the default."""
    words = f"{', '.join(formats)} ({formats[0]}); json is for programs{more_help}"
    parser.add_argument("-o", "--output", choices=formats, default=formats[0], help=words)
    parser.add_argument("--format", choices=formats, dest="output", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.add_argument(
        "--json", action="store_const", const="json", dest="output", default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )


def parse_moment(text: str, now: datetime | None = None) -> datetime:
    """A point in time, in UTC unless it says otherwise.

    `2025-02-21T10:00:00Z`, `2025-02-21 10:00`, `2025-02-21`; `today` and `yesterday`, when the day began; `19:40`, the
    last time it was so late; `1h30m`, `2d`, so long ago.

    Raises:
        argparse.ArgumentTypeError: none of these.
    """
    now = now or datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    word = text.strip().lower()
    if word in _DAYS:
        return midnight - _DAYS[word]
    try:
        if _AGO.fullmatch(word):
            return now - sum((_ago(*part) for part in _AGO_PART.findall(word)), timedelta())
        if match := _CLOCK.fullmatch(text.strip()):
            moment = midnight.replace(hour=int(match[1]), minute=int(match[2]), second=int(match[3] or 0))
            return moment if moment <= now else moment - timedelta(days=1)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time: {TIME_HELP}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_DAYS = {"today": timedelta(), "yesterday": timedelta(days=1)}


def _ago(number: str, unit: str) -> timedelta:
    return timedelta(**{_AGO_UNITS[unit]: int(number)})


def named_policy(name: str) -> Policy:
    """The policy that a person names: a file, ``preset:NAME``, or ``-`` for standard input.

    It is as the API server reads it; what that ignores of it is printed to standard error.

    Raises:
        UsageError: it cannot be read.
        PresetError: there is no such preset.
        PolicyError: the text is no valid policy.
    """
    source, text = policy_text(name)
    policy = policy_as_read(text, source)
    sys.stderr.write(findings_above(source, reading_findings(policy, text)))
    return policy


def policy_text(name: str) -> tuple[str, str]:
    """Name for messages, and text, of a policy as in `named_policy`. Raises UsageError, or PresetError."""
    if name.startswith(_PRESET_PREFIX):
        return name, preset_text(name.removeprefix(_PRESET_PREFIX))
    source = "standard input" if name == STDIN else name
    try:
        text = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
        return source, text.decode()
    except UnicodeDecodeError as problem:
        raise UsageError(f"{source}: not UTF-8 text") from problem
    except OSError as problem:
        hint = f"; did you mean preset:{name}?" if name in preset_names() else ""
        raise UsageError(f"{source}: {problem.strerror}{hint}; {POLICY_HELP}") from problem


def write_examined(answer: str, findings: Mapping[str, Sequence[Finding]], *, is_json: bool) -> None:
    """Prints an answer about policies with what the API server does not read of them; `findings` are by policy."""
    if is_json:
        sys.stdout.write(with_findings(answer, [each for found in findings.values() for each in found]))
        return
    sys.stdout.write("".join(findings_above(source, found) for source, found in findings.items()) + answer)
