"""A preview as a page for a pull request: printed, or written there as one comment."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from auditlog.cli.common import STDIN, UsageError
from auditlog.review.forge import Note, forge_of_job
from auditlog.review.markdown import marker, summary
from auditlog.review.preview import Preview, PreviewError, read_preview


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "summary",
        help="turn a preview into a page for a pull request",
        description="Turn the output of pulumi preview --json into Markdown: what changes, why, and every diff.",
        epilog="Exit code 1: the preview failed, --digest finds no plan digest, --expect-no-changes finds a change, "
        "--expect-budget finds a node that does not meet auditLog.budget.",
    )
    parser.add_argument("preview", metavar="FILE", help="the JSON, or - for standard input")
    parser.add_argument("--environment", default="", metavar="ENV", help="the name for the heading")
    parser.add_argument("--digest", action="store_true", help="print only the plan digest")
    parser.add_argument("--expect-no-changes", action="store_true", help="end with 1 if something would change")
    parser.add_argument(
        "--comment",
        action="store_true",
        help="in GitHub Actions or GitLab CI: write the page as the environment's comment, and the commit's status. "
        "Requires GITHUB_TOKEN or GITLAB_TOKEN",
    )
    parser.add_argument(
        "--expect-budget", action="store_true", help="end with 1 if a node does not meet auditLog.budget"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    preview = _read(arguments.preview)
    if arguments.digest:
        if preview.digest is None or preview.failed:
            return 1
        print(preview.digest)
        return 0
    page = summary(preview, arguments.environment)
    if arguments.comment:
        print(forge_of_job(os.environ).publish(_note(preview, page, arguments.environment)))
    else:
        sys.stdout.write(page)
    changes = arguments.expect_no_changes and preview.steps
    return int(bool(preview.failed or changes or (arguments.expect_budget and preview.misses_budget)))


def _note(preview: Preview, page: str, environment: str) -> Note:
    context = f"audit logging/{environment}" if environment else "audit logging"
    return Note(marker(environment), page, context, preview.in_one_line, preview.failed)


def _read(name: str) -> Preview:
    try:
        text = sys.stdin.read() if name == STDIN else Path(name).read_text()
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{name}: {problem}; wanted: what pulumi preview --json printed") from problem
    try:
        return read_preview(text)
    except PreviewError as problem:
        raise UsageError(f"{name}: {problem}") from problem
