"""`auditlog report`: one page about a log, to look at and to hand on."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from auditlog.cli.asking import time_of
from auditlog.cli.common import LOG_HELP, UsageError
from auditlog.cli.known import add_known, known_cluster, with_history
from auditlog.cli.logs import NO_LOG, add_nodes, given_logs, reads_nodes
from auditlog.cli.loki import add_loki, loki_store
from auditlog.cli.replay import add_space, disk_budget
from auditlog.cli.terminal import progress_bar
from auditlog.cli.times import add_times, resolve_times
from auditlog.errors import AuditlogError
from auditlog.events import questions
from auditlog.events.coverage import Coverage
from auditlog.events.event import FullEvent, Recorded
from auditlog.events.evidence import Evidence
from auditlog.events.judgement import Known, Material, judge
from auditlog.events.layout import shown_in
from auditlog.events.loki.copied import copied, named
from auditlog.events.loki.store import LokiStore
from auditlog.events.questions import Answer, WhoQuery
from auditlog.events.reading import Damage, DamageLog, check_logs, read_containing, read_lines
from auditlog.events.replay import ReplaySettings, replay
from auditlog.events.sources import STDIN, LogSet
from auditlog.policy.lint.tokens import TOKEN_NEED
from auditlog.policy.recording import Need
from auditlog.report.collect import Findings, Report, Verdict, collect
from auditlog.report.page import page


@dataclass(frozen=True, slots=True)
class _Log:
    """What the page is made of, and what is known of the log beside its lines."""

    logs: LogSet
    store: LokiStore | None = None
    """The Loki that the files are copied from; None where they are the log itself."""


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "report",
        help="write one page about a log: activity, callers, alerts, what is not recorded",
        description="Write one HTML file about a log that needs no network: activity by kind of caller, who changed "
        "what, detections that fired. It also has what is not recorded and why, volume by rule, and days of disk.",
    )
    parser.add_argument("logs", nargs="*", metavar="LOG", help=LOG_HELP)
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="the page, such as report.html")
    parser.add_argument("--title", default="Audit log", help="the page's heading (Audit log)")
    add_times(parser)
    add_known(parser)
    add_nodes(parser)
    add_loki(parser)
    add_space(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    resolve_times(arguments)
    target = Path(arguments.output)
    if target.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--output {arguments.output}: allowed: a file that ends in .html")
    if STDIN in arguments.logs:
        raise UsageError(
            "standard input (-) can be read only once, and a report reads a log several times; name a file"
        )
    if not arguments.loki and not arguments.logs and not reads_nodes(arguments):
        raise UsageError(f"{NO_LOG}, or --loki URL")
    known, notes = known_cluster(arguments)
    with shown_in(arguments.time_zone), _given(arguments) as log:
        text = page(_report(arguments, log, with_history(known, arguments, log.logs.histories), notes))
    part = target.with_name(f"{target.name}.new")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(target)
    except OSError as problem:
        raise AuditlogError(f"--output {arguments.output}: {problem.strerror}") from problem
    return 0


@contextmanager
def _given(arguments: argparse.Namespace) -> Iterator[_Log]:
    """The log until the block ends. A report reads it several times, so Loki is asked once and copied."""
    if not arguments.loki:
        with given_logs(arguments, arguments.since) as logs:
            yield _Log(logs)
        return
    store, notes = loki_store(arguments)
    arguments.since, arguments.until = store.since, store.until
    with TemporaryDirectory(prefix="auditlog-") as folder:
        try:
            with progress_bar(0) as progress:
                logs = copied(store, Path(folder), progress)
        except OSError as problem:
            raise AuditlogError(f"--loki: its events cannot be copied to {folder}: {problem.strerror}") from problem
        if not logs.files:
            notes = (*notes, f"Loki has no event of {store.selector} in this time: nothing is known")
        yield _Log(replace(logs, notes=notes), store)


def _report(arguments: argparse.Namespace, log: _Log, known: Known, notes: tuple[str, ...]) -> Report:
    damage, logs = DamageLog(), log.logs
    evidence = Evidence(known.policy, time_of(arguments), history=known.history)
    recorded = evidence.over(read_lines(logs, damage, event_type=FullEvent))
    findings = collect((each for each in recorded if isinstance(each, Recorded)), time_of(arguments))
    if log.store is None:
        check_logs(logs, damage, evidence.nodes)
    nodes = [node.node for node in findings.coverage.nodes]
    periods = [period for node in nodes for period in known.history.of(node)] if known.history else []
    material = _material(log, evidence, damage.result(), findings.coverage)
    return Report(
        arguments.title,
        datetime.now(UTC),
        findings,
        _judged_by(arguments, known),
        tuple(_verdicts(arguments, logs, known, material, findings)),
        tuple(periods),
        replay(logs, ReplaySettings(recorded=known.policy, disk=disk_budget(arguments))),
        (*logs.notes, *notes, *known.notes),
        named(damage.result(), logs) if log.store else damage.result(),
    )


def _material(log: _Log, evidence: Evidence, damage: Damage, coverage: Coverage) -> Material:
    """What the verdicts are read from, with the nodes of which there is no event."""
    seen = {node.node for node in coverage.nodes} | {part.node for part in coverage.uncovered}
    if log.store is None:
        empty = dict.fromkeys(file.node for file in log.logs.files if file.node not in seen)
        return Material(evidence, tuple(empty), damage)
    silent = log.store.silent_nodes(coverage)
    names = (*silent, *(node.node for node in coverage.nodes))
    return Material(evidence, silent, damage, tuple(sorted({name.partition("/")[0] for name in names if "/" in name})))


def _judged_by(arguments: argparse.Namespace, known: Known) -> str:
    """Which policy the answers rest on, and who named it."""
    if known.history is not None:
        return f"the policies of {arguments.policy}" if arguments.policy else "the policies that the nodes had"
    if known.policy is None:
        return ""
    return arguments.policy or f"the policy that stack {arguments.stack} deploys today, taken for all of this time"


def _verdicts(
    arguments: argparse.Namespace, logs: LogSet, known: Known, material: Material, findings: Findings
) -> list[Verdict]:
    """What each question answers; the log is read again only for the lines that may matter."""
    time = time_of(arguments)
    tokens = WhoQuery(("create",), resource="serviceaccounts/token", time=time)
    sessions = WhoQuery(("get", "create"), resource="*/exec", time=time)
    asked: list[tuple[str, Answer, Need]] = [
        (
            "Who read a Secret",
            questions.secrets(read_containing(logs, ("secrets",)), time),
            questions.secrets_need(),
        ),
        (
            "Who gave cluster-admin, or wildcards",
            questions.escalations(read_containing(logs, ("rbac.authorization.k8s.io",)), time),
            questions.ESCALATIONS_NEED,
        ),
        (
            "What was done without an identity",
            questions.anonymous(
                read_containing(logs, ("system:anonymous", "system:unauthenticated", '"user":{}')), time
            ),
            questions.ANONYMOUS_NEED,
        ),
        ("Who asked for a token", questions.who(read_containing(logs, ("/token",)), tokens), TOKEN_NEED),
        (
            "Who ran a command in a Pod",
            questions.who(read_containing(logs, ("/exec",)), sessions),
            questions.who_need(sessions),
        ),
    ]
    return [
        Verdict(name, judge(replace(answer, coverage=findings.coverage), need, known, material))
        for name, answer, need in asked
    ]
