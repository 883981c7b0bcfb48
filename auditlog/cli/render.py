"""`render`: a stack's audit logging as an installer of clusters wants it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from auditlog.cli.common import UsageError
from auditlog.cli.stack import read_stack
from auditlog.installers.catalogue import INSTALLERS
from auditlog.installers.wanted import Rendered, wanted


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "render",
        help="write a stack's policy, flags and mounts as an installer of clusters wants them",
        description="Write the audit logging of a stack file for machines that nobody logs in to. Policy, flags, "
        "mounts and annotations are in the installer's own form. The API server audits from its first request.",
        epilog="Exit code 1: the installer cannot express a part, which is printed to standard error.",
    )
    parser.add_argument("stack", metavar="STACK", help="the name of a stack, or its file")
    parser.add_argument(
        "--for", dest="installer", required=True, choices=[*INSTALLERS], metavar="INSTALLER", help=", ".join(INSTALLERS)
    )
    parser.add_argument("--to", metavar="FOLDER", help="write files there (default: print them all)")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    stack = read_stack(arguments.stack)
    settings = stack.settings()
    if not settings.enabled:
        raise UsageError(f"stack {arguments.stack}: enabled is false; allowed: a stack with audit logging")
    rendered = INSTALLERS[arguments.installer](wanted(settings, stack.policy()))
    if arguments.to:
        _write(Path(arguments.to), rendered)
    else:
        for name, text in rendered.files.items():
            print(f"# ----- {name}")
            sys.stdout.write(text)
    for kind, sentences in (("lost", rendered.lost), ("note", rendered.notes)):
        for sentence in sentences:
            print(f"{kind}: {sentence}", file=sys.stderr)
    return int(bool(rendered.lost))


def _write(folder: Path, rendered: Rendered) -> None:
    try:
        for name, text in rendered.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(path)
    except OSError as error:
        raise UsageError(f"--to {folder}: {error.strerror}; allowed: a folder that can be written") from error
