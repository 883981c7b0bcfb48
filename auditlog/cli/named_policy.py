"""A policy as a command takes it: a file, `preset:NAME`, `stack:NAME`, or standard input."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from auditlog.annotations.model import Entry
from auditlog.annotations.read import catalogue
from auditlog.cli.common import STDIN, UsageError
from auditlog.cli.output import Output
from auditlog.policy.lint import Finding, reading_findings
from auditlog.policy.model import Policy
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.report import findings_above, with_findings
from auditlog.policy.validate import policy_as_read

POLICY_HELP = "a policy file, preset:NAME, stack:NAME, or - for standard input"
_PRESET_PREFIX = "preset:"
_STACK_PREFIX = "stack:"


def named_policy(name: str) -> Policy:
    """The policy that a person names: a file, ``preset:NAME``, ``stack:NAME``, or ``-`` for standard input.

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


def add_annotations(parser: argparse.ArgumentParser) -> None:
    """The flag of commands that know what annotations add to events."""
    parser.add_argument(
        "--annotations",
        action="store_true",
        help="as with annotations.delivery: api and the whole catalogue; those of stack:NAME count without it",
    )


def named_entries(policy: str, *, annotated: bool) -> tuple[Entry, ...]:
    """The annotations that are written beside a policy that a person names: those of its stack, or the catalogue.

    Raises UsageError, or AnnotationError for an entry of the stack's own that is none.
    """
    if policy.startswith(_STACK_PREFIX):
        from auditlog.cli.stack import read_stack
        from auditlog.settings.annotations import used_entries

        stack = read_stack(policy.removeprefix(_STACK_PREFIX))
        found = used_entries(stack.settings().annotations, stack.folder)
        if found:
            return found
    return catalogue() if annotated else ()


def examined(answer: Output, findings: Mapping[str, Sequence[Finding]]) -> Output:
    """An answer about policies with what the API server does not read of them; `findings` are by policy."""
    above = "".join(findings_above(source, found) for source, found in findings.items())
    return replace(
        answer,
        text=lambda width: above + answer.text(width),
        json=lambda: with_findings(answer.json(), [each for found in findings.values() for each in found]),
    )
