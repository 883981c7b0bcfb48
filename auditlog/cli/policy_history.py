"""`auditlog policy-history`: which policy was in force on which node, from when."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from auditlog.cli.common import UsageError
from auditlog.cli.logs import add_nodes, given_histories, moments, reads_nodes
from auditlog.cli.output import Output, add_output, write
from auditlog.errors import AuditlogError
from auditlog.events.answer_text import as_json
from auditlog.events.history_text import kept_text, read_kept
from auditlog.events.in_force import Period, read_history
from auditlog.events.layout import paragraph, safe, table, when
from auditlog.policy.model import Policy
from auditlog.policy.validate import policy_as_read


@dataclass(frozen=True, slots=True)
class _Row:
    """One period as it is printed; `policy` names what was in force, or may have been."""

    node: str
    start: datetime | None
    end: datetime | None
    policy: tuple[str, ...]
    unknown: str


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "policy-history",
        help="show which audit policy was in force on which node, from when",
        description="Show which audit policy was in force on which node, from when. Nodes keep it beside their "
        "backups, from every change of a stack on.",
    )
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="a history that --keep wrote, instead of nodes", default=""
    )
    add_output(parser)
    add_nodes(parser)
    parser.add_argument(
        "--keep",
        metavar="FILE",
        default="",
        help="also add what the nodes say now to this file. Run regularly, it finds edits by hand between two runs",
    )
    parser.add_argument(
        "--reading",
        action="store_true",
        help="log in with the stack's account that only reads: it shows what is in force now, without the history that "
        "the nodes keep",
    )
    parser.set_defaults(run=_run, logs=[])


def _run(arguments: argparse.Namespace) -> int:
    if arguments.file:
        if reads_nodes(arguments) or arguments.keep:
            raise UsageError(f"FILE ({arguments.file}) and nodes or --keep are both given; name one of the two")
        told: Mapping[str, str] = read_kept(Path(arguments.file))
        notes: tuple[str, ...] = ()
    elif reads_nodes(arguments):
        told, notes = moments(arguments) if arguments.reading else given_histories(arguments)
    else:
        raise UsageError("no history given: name nodes with --nodes or --stack, or a file that --keep wrote")
    if arguments.keep:
        told = _kept(Path(arguments.keep), told)
    history = read_history(told, policy_as_read)
    notes = (*notes, *history.complaints)
    rows = [_row(period) for node in sorted(history.periods) for period in history.periods[node]]
    write(
        arguments.output,
        Output(
            lambda width: "\n".join(_text(rows, notes, width)) + "\n",
            lambda: as_json({"periods": rows, "notes": notes}),
            ("periods",),
        ),
    )
    return 0


def _kept(path: Path, told: Mapping[str, str]) -> Mapping[str, str]:
    text = kept_text(read_kept(path) if path.exists() else {}, told)
    part = path.with_name(f"{path.name}.new")
    try:
        part.write_text(text)
        part.replace(path)
    except OSError as problem:
        raise AuditlogError(f"--keep {path}: {problem.strerror}") from problem
    return read_kept(path)


def _row(period: Period) -> _Row:
    return _Row(period.node, period.start, period.end, tuple(map(_name, period.policies)), period.unknown)


def _name(policy: Policy) -> str:
    return policy.source


def _text(rows: list[_Row], notes: tuple[str, ...], width: int | None) -> Iterator[str]:
    yield from table(
        ("NODE", "FROM", "TO", "POLICY", "NOT KNOWN BECAUSE"),
        (
            (
                row.node,
                when(row.start) if row.start else "-",
                when(row.end) if row.end else "-",
                " or ".join(row.policy) or "?",
                row.unknown,
            )
            for row in rows
        ),
        width=width,
    )
    for note in notes:
        yield from paragraph(f"Note: {safe(note)}.", width)
