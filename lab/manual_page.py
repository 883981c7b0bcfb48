"""The manual page of the command line, made from its help: `python -m lab.manual_page >docs/auditlog.1`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator

from argparse_manpage.manpage import Manpage

from auditlog import __version__
from auditlog.cli import build_parser


def manual_page() -> str:
    """The page as the file that is checked in."""
    # argparse breaks help at the terminal's width.
    os.environ["COLUMNS"] = "80"
    parser = build_parser("auditlog")
    for command in _commands(parser):
        # The library leaves out what stands below the options: the exit codes.
        command.description = "\n\n".join(filter(None, (command.description, command.epilog)))
    page = Manpage(parser, format="single-commands-section")
    page.source = f"kubernetes-audit {__version__}"
    page.manual = "User Commands"
    page.description = "audit policies and audit logs of Kubernetes"
    # A date would make another page every day.
    page.date = ""
    return str(page).replace(".SH\nPOSITIONAL ARGUMENTS", ".SH COMMANDS")


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield command
                yield from _commands(command)


if __name__ == "__main__":
    sys.stdout.write(manual_page())
