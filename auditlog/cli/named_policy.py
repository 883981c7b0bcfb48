"""A policy as a command takes it: a file, `preset:NAME`, `stack:NAME`, or standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from auditlog.cli.common import STDIN, UsageError
from auditlog.policy.model import Policy
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.read import read_policy

POLICY_HELP = "a policy file, preset:NAME, stack:NAME, or - for standard input"
_PRESET_PREFIX = "preset:"
_STACK_PREFIX = "stack:"


def named_policy(name: str) -> Policy:
    """The policy that a person names: a file, ``preset:NAME``, ``stack:NAME``, or ``-`` for standard input.

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
    if name.startswith(_STACK_PREFIX):
        # Half a second to import, for every setting, that no command without a stack has to wait for.
        from auditlog.cli.stack import read_stack

        selected = read_stack(name.removeprefix(_STACK_PREFIX)).policy()
        return f"{name} ({selected.source})", selected.text
    source = "standard input" if name == STDIN else name
    try:
        text = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
        return source, text.decode()
    except UnicodeDecodeError as problem:
        raise UsageError(f"{source}: not UTF-8 text") from problem
    except OSError as problem:
        hint = f"; did you mean preset:{name}?" if name in preset_names() else ""
        raise UsageError(f"{source}: {problem.strerror}{hint}; {POLICY_HELP}") from problem
