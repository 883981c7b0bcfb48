"""`ledger`, as it runs: the nodes, their files and Loki are asked, compared, and the chain is written."""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from auditlog.cli.common import UsageError
from auditlog.cli.hosts import stack_access
from auditlog.cli.output import Output, fitted, write
from auditlog.cli.prometheus import prometheus_access
from auditlog.cli.stack import read_stack
from auditlog.cli.times import resolve_times
from auditlog.detections.promql import api_server_selector
from auditlog.events.http_access import secret_from_file
from auditlog.events.loki import LokiAccess, LokiClient
from auditlog.ledger.chain import Chain, judge_chain, next_record, read_chain, vouches
from auditlog.ledger.chain_file import ChainFile, locked
from auditlog.ledger.counter import Window
from auditlog.ledger.loki_reader import LokiReader
from auditlog.ledger.loki_route import service_of
from auditlog.ledger.minutes import Span, whole_minutes
from auditlog.ledger.node_reader import LocalReader
from auditlog.ledger.prometheus_reader import PrometheusReader
from auditlog.ledger.report import Report, json_report, text_report
from auditlog.ledger.run import Node, NodeResult, Question, Readings, compare_nodes, read_files
from auditlog.ledger.session import Session, logged_in, stack_loki
from auditlog.nodes.ssh import Access, Account, access_of
from auditlog.settings import STDOUT, AlloyMode, LogFormat, Settings

DEFAULT_RANGE = timedelta(hours=24)
_NODE = re.compile(r"(?P<name>[a-z0-9]([-a-z0-9.]*[a-z0-9])?)=(?P<path>.+)")


def run(arguments: argparse.Namespace) -> int:
    """Makes the comparison; gives the exit code. Raises AuditlogError."""
    resolve_times(arguments)
    _check(arguments)
    began = time.monotonic()
    path = Path(arguments.chain) if arguments.chain else None
    with locked(path) if path else nullcontext() as file:
        report = asyncio.run(_run(arguments, file))
    report = replace(report, seconds=time.monotonic() - began)
    if arguments.report:
        _write(Path(arguments.report), json_report(report))
    text = text_report(report, arguments.time_zone)
    write(arguments.output, Output(lambda width: fitted(text, width), lambda: json_report(report), ("findings",)))
    return report.verdict.exit_code


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--report {path}: {error.strerror}; allowed: a file that can be written") from error


def _check(arguments: argparse.Namespace) -> None:
    if bool(arguments.stack) == bool(arguments.logs):
        raise UsageError("give either --stack NAME, or NODE=LOG for logs on this machine")
    if arguments.logs and not (arguments.loki or arguments.chain):
        raise UsageError("there is nothing to compare the logs with: give --loki URL, --chain FILE or both")
    if arguments.logs and arguments.loki and not arguments.cluster:
        raise UsageError("--cluster is missing: nodes of several clusters may have the same name in Loki")
    if arguments.head and not arguments.chain:
        raise UsageError("--head is for --chain FILE")
    if arguments.head and not re.fullmatch(r"[0-9a-f]{64}", arguments.head):
        raise UsageError(
            f"--head is {arguments.head!r}; allowed: the 64 hexadecimal digits that an earlier run printed"
        )
    if bool(arguments.loki_user) != bool(arguments.loki_password_file) and not arguments.stack:
        raise UsageError("--loki-user and --loki-password-file are needed together")
    if "`" in arguments.cluster:
        raise UsageError(f"--cluster is {arguments.cluster!r}; allowed: the value of the label cluster")


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whom the run asks. ``notes`` are for the reader of the report."""

    session: Session
    question: Question
    cluster: str
    settings: Settings | None = None
    notes: tuple[str, ...] = ()


async def _run(arguments: argparse.Namespace, file: ChainFile | None) -> Report:
    chain = read_chain(file.text()) if file else None
    async with _asked(arguments, chain) as asked:
        readings = await read_files(asked.session.nodes, asked.question)
        readings = Readings(readings.nodes, {**readings.problems, **asked.session.problems})
        async with _loki(arguments, asked, readings) as access:
            client = LokiClient(access) if access else None
            loki = LokiReader(client, asked.cluster) if client else None
            known = {node.name: node for node in asked.session.nodes}
            names = [*known, *(name for name in asked.session.problems if name not in known)]
            nodes = [known.get(name, Node(name, "", LocalReader())) for name in names]
            results = await compare_nodes(nodes, asked.question, readings, loki)
    received = (sum(node.reader.received for node in nodes), client.received if client else 0)
    report = Report(asked.question.span, results, notes=asked.notes, moved=received)
    return _with_chain(report, chain, file, arguments.head, readings, results)


def _with_chain(
    report: Report,
    chain: Chain | None,
    file: ChainFile | None,
    head: str,
    readings: Readings,
    results: Sequence[NodeResult],
) -> Report:
    if chain is None or file is None:
        return report
    record = next_record(chain, datetime.now(UTC), readings.nodes)
    if readings.nodes:
        file.append(record.line)
    return replace(
        report,
        of_chain=tuple(judge_chain(chain, head)),
        chain=tuple(vouches(chain, (each.name for each in results))),
        head=read_chain(file.text()).head,
    )


@asynccontextmanager
async def _asked(arguments: argparse.Namespace, chain: Chain | None) -> AsyncIterator[_Asked]:
    until = arguments.until or datetime.now(UTC)
    span = _span(arguments.since or until - DEFAULT_RANGE, until)
    question = Question(span, from_files=arguments.since is None, chain=chain)
    if arguments.logs:
        nodes = tuple(_local(arguments.logs))
        names = {node.name: frozenset({node.name}) for node in nodes}
        question = replace(question, windows=_windows(arguments, None, span, names))
        yield _Asked(Session(nodes, {}), question, arguments.cluster)
        return
    settings = read_stack(arguments.stack).settings()
    _check_settings(settings, arguments)
    loki = settings.loki if settings.ships and not arguments.loki else None
    own = settings.ships and settings.alloy.mode is AlloyMode.DAEMONSET
    question = replace(
        question,
        counter=True,
        service=service_of(loki) if loki else "",
        alloy=settings.alloy.namespace if own else "",
        windows=_windows(arguments, settings, span, _names(settings)),
        longest_line=settings.loki.max_line_size if settings.loki else question.longest_line,
    )
    notes = (
        ()
        if loki or arguments.loki
        else ("the stack ships to no Loki that it knows: only files and counters are compared",)
    )
    async with (
        _keys(arguments, settings) as keys,
        logged_in(settings, settings.nodes_with_manifest, keys, settings.reading_user) as session,
    ):
        yield _Asked(session, question, arguments.cluster or settings.cluster, settings, notes)


def _names(settings: Settings) -> Mapping[str, frozenset[str]]:
    return {node.name: frozenset({node.name, node.host}) for node in settings.nodes_with_manifest}


def _windows(
    arguments: argparse.Namespace, settings: Settings | None, span: Span, names: Mapping[str, frozenset[str]]
) -> Mapping[str, tuple[Window, ...]] | None:
    access = prometheus_access(arguments)
    if access is None:
        return None
    selectors = settings.alerts.selectors if settings else {}
    return PrometheusReader(access, api_server_selector(selectors)).windows(span, names)


def _check_settings(settings: Settings, arguments: argparse.Namespace) -> None:
    if settings.log is None:
        raise UsageError(f"--stack {arguments.stack}: auditLog is off; the ledger compares what files hold")
    if settings.log.format is LogFormat.LEGACY:
        raise UsageError(f"--stack {arguments.stack}: auditLog.format is legacy; allowed: json, which names each event")
    if arguments.chain and settings.log.path == STDOUT:
        raise UsageError(
            f"--chain: the log of {arguments.stack} is standard output, whose files kubelet keeps for as long as it "
            "likes; allowed with an auditLog.path"
        )


@asynccontextmanager
async def _keys(arguments: argparse.Namespace, settings: Settings) -> AsyncIterator[Access]:
    if arguments.identity:
        yield stack_access(arguments)
        return
    async with access_of(Account(None, settings.reading_user)) as keys:
        yield keys


@asynccontextmanager
async def _loki(arguments: argparse.Namespace, asked: _Asked, readings: Readings) -> AsyncIterator[LokiAccess | None]:
    stack = asked.settings
    password = secret_from_file("--loki-password-file", arguments.loki_password_file)
    token = secret_from_file("--loki-token-file", arguments.loki_token_file)
    if arguments.loki and (stack is None or stack.loki is None):
        yield LokiAccess(
            arguments.loki,
            arguments.tenant,
            user=arguments.loki_user,
            password=password,
            token=token,
            ca_file=arguments.loki_ca,
        )
        return
    loki = stack.loki if stack and (stack.ships or arguments.loki) else None
    if loki is None:
        yield None
        return
    if arguments.loki:
        loki = replace(loki, url=arguments.loki, query_url=None, query_through_nodes=False)
    user = arguments.loki_user or loki.username
    if user and not (password or token):
        raise UsageError(
            "--loki-password-file is missing: the stack file holds the password of its Loki encrypted; allowed: a "
            "file with it"
        )
    loki = replace(loki, username=user, password=password or None, tenant=arguments.tenant or loki.tenant)
    addresses = [reading.service for reading in readings.nodes.values()]
    async with stack_loki(loki, asked.session, addresses) as way:
        yield replace(way, token=token, user="" if token else way.user, timeout=120)


def _local(logs: Iterable[str]) -> Iterable[Node]:
    seen: set[str] = set()
    for text in logs:
        match = _NODE.fullmatch(text)
        if match is None:
            raise UsageError(
                f"{text!r} names no node; allowed: NODE=LOG, such as cp1=/var/log/kubernetes/audit/audit.log"
            )
        if match["name"] in seen:
            raise UsageError(f"{match['name']} is given twice; give every node once")
        seen.add(match["name"])
        path = Path(match["path"]).resolve()
        if not path.parent.is_dir():
            raise UsageError(f"{text}: there is no folder {path.parent}; allowed: the path of a node's log")
        yield Node(match["name"], str(path), LocalReader())


def _span(since: datetime, until: datetime) -> Span:
    span = whole_minutes(since, until)
    if not len(span):
        raise UsageError(f"from {since} to {until} there is no whole minute; allowed: a longer range")
    return span
