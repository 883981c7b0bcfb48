"""What the commands share: arguments, and policies by name."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from auditlog.cli.output import add_output
from auditlog.errors import AuditlogError
from auditlog.policy.model import Policy
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.read import read_policy

LOG_HELP = (
    "a log file (its rotated files are found), a folder with a log or with one folder per node, or - for standard "
    "input; NODE= may stand before it: cp1=/var/log/kubernetes/audit/audit.log"
)

POLICY_HELP = "a policy file, preset:NAME, or - for standard input"
STDIN = "-"

_PRESET_PREFIX = "preset:"


class UsageError(AuditlogError):
    """An argument that cannot be used; the message names it and says what is allowed."""


def print_help(parser: argparse.ArgumentParser) -> int:
    """What a command does that has commands of its own and was given none."""
    parser.print_help()
    return 0


def add_logs(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """The positional arguments that name logs, and --output. Not required where the log may come from elsewhere."""
    parser.add_argument("logs", nargs="+" if required else "*", metavar="LOG", help=LOG_HELP)
    add_output(parser)


def named_policy(name: str) -> Policy:
    """The policy that a person names: a file, ``preset:NAME``, or ``-`` for standard input.

    Raises:
        UsageError: it cannot be read.
        PresetError: there is no such preset.
        PolicyError: the text is no valid policy.
    """
    source, text = policy_text(name)
    return read_policy(text, source)


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
