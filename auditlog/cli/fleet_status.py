"""The work of `fleet status`: from stack files to clusters, from their rows to a table, JSON and a page."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from auditlog.annotations.read import AnnotationError
from auditlog.cli.common import UsageError
from auditlog.cli.hosts import stack_access
from auditlog.cli.output import Output, write
from auditlog.cli.stack import PROJECT_FILE, project_file, project_name, read_stack
from auditlog.cli.terminal import counting_bar
from auditlog.fleet.page import html_page
from auditlog.fleet.read import AT_ONCE, Cluster, read_fleet
from auditlog.fleet.report import exit_code, json_report, text_report
from auditlog.fleet.row import Row, unread_row
from auditlog.nodes.ssh import Access, Account, access_of
from auditlog.settings.annotations import static_policies


def run(arguments: argparse.Namespace) -> int:
    """Reads every cluster and writes the rows; gives the exit code. Raises UsageError and SshError."""
    if arguments.at_once < 0:
        raise UsageError(f"--at-once is {arguments.at_once}; allowed: a number of clusters, 1 or more")
    clusters, unread = _clusters(arguments.stacks or _every_stack())
    rows = (*asyncio.run(_read(arguments, clusters)), *unread)
    if arguments.page:
        _write(Path(arguments.page), html_page(rows, datetime.now(UTC)))
    write(
        arguments.output,
        Output(lambda width: text_report(rows, width), lambda: json_report(rows), ("clusters",)),
    )
    return exit_code(rows)


def _every_stack() -> list[str]:
    project = project_file(Path.cwd())
    found = sorted(str(path) for path in project.parent.glob("Pulumi.*.yaml"))
    if not found:
        raise UsageError(f"{project.parent}: there is no Pulumi.*.yaml beside {PROJECT_FILE}; allowed: a stack file")
    return found


def _clusters(names: Sequence[str]) -> tuple[list[Cluster], list[Row]]:
    """The clusters of these stacks, and rows of those whose files are wrong: the others are read all the same."""
    clusters, unread = list[Cluster](), list[Row]()
    for name in names:
        stack = _stack_name(name)
        try:
            read = read_stack(name)
            owner = f"{project_name(read.folder / PROJECT_FILE)}/{stack}"
            settings = read.settings()
            policies = static_policies(settings.annotations, read.folder) if settings.enabled else ""
            clusters.append(Cluster(stack, settings, read.policy(), owner, policies))
        except (UsageError, AnnotationError) as error:
            unread.append(unread_row(stack, str(error)))
    return clusters, unread


def _stack_name(name: str) -> str:
    return Path(name).name.removeprefix("Pulumi.").removesuffix(".yaml")


async def _read(arguments: argparse.Namespace, clusters: Sequence[Cluster]) -> tuple[Row, ...]:
    if not clusters:
        return ()
    if arguments.identity:
        return await _with(stack_access(arguments), arguments, clusters)
    async with access_of(Account(None)) as access:
        return await _with(access, arguments, clusters)


async def _with(access: Access, arguments: argparse.Namespace, clusters: Sequence[Cluster]) -> tuple[Row, ...]:
    with counting_bar(len(clusters), "clusters") as done:
        return await read_fleet(clusters, access, arguments.at_once or AT_ONCE, done)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--page {path}: {error.strerror}; allowed: a file that can be written") from error
