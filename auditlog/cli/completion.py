"""`completion`: the script by which a shell completes commands, options and file names.

Made by shtab from the parser itself. Its scripts need no Python while people type; argcomplete would start this program
at every Tab.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from auditlog.policy.presets import preset_names

SHELLS = ("bash", "zsh", "fish")
_FILES = frozenset({"FILE", "LOG", "POLICY", "OLD", "NEW"})
"""The metavars of arguments that may be files."""
_INSTALLATION = """\
Installation:
  bash  auditlog completion bash > ~/.local/share/bash-completion/completions/auditlog
  zsh   auditlog completion zsh > "${fpath[1]}/_auditlog"
  fish  auditlog completion fish > ~/.config/fish/completions/auditlog.fish
"""


def register(subparsers: argparse._SubParsersAction[Any], build_parser: Callable[[], argparse.ArgumentParser]) -> None:
    """Adds the command. `build_parser` makes the parser that is completed."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "completion",
        help="print the completion script for bash, zsh or fish",
        description="Print the script that completes commands, options and file names in a shell.",
        epilog=_INSTALLATION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    parser.set_defaults(run=partial(_run, build_parser))


def _run(build_parser: Callable[[], argparse.ArgumentParser], arguments: argparse.Namespace) -> int:
    sys.stdout.write(completion(build_parser(), arguments.shell))
    return 0


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for a shell of `SHELLS`."""
    import shtab

    for command, action in _actions(parser):
        if action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif command.endswith(" presets") and action.dest == "name":
            action.choices = preset_names()
    script: str = shtab.complete(parser, shell)
    return script


def _actions(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """Every argument of every command, with the command."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield parser.prog, action
