"""One run of the ledger: asks the nodes and Loki, compares, and returns the findings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from auditlog.ledger.chain import Chain, judge_files, known
from auditlog.ledger.counter import NO_EARLIER, Comparison, Window, compared, window
from auditlog.ledger.examine import SETTLED, Examined, examine
from auditlog.ledger.files import AnswerError, Reading, parse_marks, parse_reading, with_minutes
from auditlog.ledger.finding import Finding, Kind
from auditlog.ledger.judge import Context, judge, judge_count
from auditlog.ledger.loki_reader import LokiReader
from auditlog.ledger.marks import Difference, Mark, compare
from auditlog.ledger.minutes import Minute, Span, node_minutes, runs, stamp_of
from auditlog.ledger.node_reader import NodeReader
from auditlog.ledger.prometheus_reader import NONE_IN_PROMETHEUS
from auditlog.ledger.sums import Key, Sum
from auditlog.units import MINUTE

TOUCHED = 300
"""Seconds before the range. A file last written earlier counts as too old: clocks and file times differ by less."""

MINUTES_OF_A_QUESTION = 500
"""Names of minutes (``node_minutes``) that a node is asked for at once, in one command line."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node to ask: its name in Loki, the path of its log on it, and the reader that asks it."""

    name: str
    log: str
    reader: NodeReader


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked."""

    span: Span
    from_files: bool = False
    """Whether the range begins where the files do, but not before ``span``."""
    counter: bool = False
    """Whether the API server's count is read."""
    chain: Chain | None = None
    """The chain to compare with. With it, the digests of the files are read."""
    service: str = ""
    """The Service whose address the nodes look up, to reach Loki through them; "" for none."""
    alloy: str = ""
    """The namespace whose Alloy the nodes look at; "" for none."""
    longest_line: int = 262_144
    """Bytes of the longest line that Loki takes."""
    windows: Mapping[str, tuple[Window, ...]] | None = None
    """Readings of the counter in Prometheus, by node; None if Prometheus was not asked."""


@dataclass(frozen=True, slots=True)
class NodeResult:
    """The result for one node. ``reading`` and ``examined`` are None if it could not be read.

    ``comparison`` is the one with the API server's counter, or why there is none.
    """

    name: str
    findings: tuple[Finding, ...]
    reading: Reading | None = None
    examined: Examined | None = None
    comparison: Comparison | str = NO_EARLIER


@dataclass(frozen=True, slots=True)
class Readings:
    """What the nodes reported. ``problems`` has the reasons why others did not report, by name."""

    nodes: Mapping[str, Reading] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


async def read_files(nodes: Sequence[Node], question: Question) -> Readings:
    """Asks all nodes at once what their files hold."""
    answers = await asyncio.gather(*(_read(node, question) for node in nodes))
    found = dict(zip((node.name for node in nodes), answers, strict=True))
    return Readings(
        {name: each for name, each in found.items() if isinstance(each, Reading)},
        {name: each for name, each in found.items() if isinstance(each, str)},
    )


async def compare_nodes(
    nodes: Sequence[Node], question: Question, readings: Readings, loki: LokiReader | None
) -> tuple[NodeResult, ...]:
    """Compares the files with Loki, and with chain and counter if asked. Raises LokiError."""
    sums = await asyncio.to_thread(loki.sums, _asked_of_loki(question, readings)) if loki else None
    results = []
    for node in nodes:
        reading = readings.nodes.get(node.name)
        if reading is None:
            reason = f"{node.name} cannot be read: {readings.problems.get(node.name, 'it was not asked')}"
            results.append(NodeResult(node.name, (Finding(node.name, Kind.NODE_UNREADABLE, reason),)))
        else:
            results.append(await _compare(node, question, reading, loki, (sums or {}).get(node.name, {})))
    return tuple(results)


async def _read(node: Node, question: Question) -> Reading | str:
    found = question.chain.last_of(node.name) if question.chain else None
    earlier = found[1].count if found else None
    arguments = {
        "log": node.log,
        "since": stamp_of(question.span.since),
        "until": stamp_of(question.span.until),
        "after": str(question.span.since - TOUCHED),
    }
    if question.chain is not None:
        arguments["digests"] = "yes"
        if found and (live := known(found[1])):
            arguments["known"] = live
    if question.counter:
        arguments["counter"] = "yes"
    stamps = [stamp for each in (question.windows or {}).get(node.name, ()) for stamp in each.stamps]
    if question.windows is None and earlier and question.counter:
        stamps = [earlier.before, earlier.after]
    if stamps:
        arguments["marks"] = ",".join(dict.fromkeys(stamps))
    if question.service:
        arguments["service"] = question.service
    if question.alloy:
        arguments["alloy"] = question.alloy
    try:
        return parse_reading(await node.reader.ask("ledger", arguments))
    except AnswerError as error:
        return str(error)


def _asked_of_loki(question: Question, readings: Readings) -> Span:
    """The minutes to ask Loki for: the newest ones, in which events may still arrive, are not compared."""
    clocks = [reading.clock for reading in readings.nodes.values()]
    return question.span.before(max(clocks, default=question.span.until) - SETTLED)


def _span(question: Question, reading: Reading) -> Span:
    span = question.span
    if not question.from_files or reading.oldest is None:
        return span
    first = int(reading.oldest.timestamp()) // MINUTE * MINUTE + MINUTE
    return Span(min(max(span.since, first), span.until), span.until)


async def _compare(
    node: Node, question: Question, reading: Reading, loki: LokiReader | None, sums: Mapping[Key, Sum]
) -> NodeResult:
    examined = examine(node.name, _span(question, reading), reading, sums if loki else None)
    difference, has_earlier, newest = Difference(), False, None
    if loki is not None:
        if examined.before_loki:
            has_earlier = await asyncio.to_thread(loki.has_earlier, node.name, examined.asked.since)
        in_loki: list[Mark] = []
        if examined.read:
            in_loki = await asyncio.to_thread(_marks_of_loki, loki, node.name, examined.read)
            difference = compare(await _marks_of_files(node, reading, examined.read), in_loki)
        newest = _newest(examined, in_loki)
    context = Context(
        reading, question.longest_line, has_earlier, newest, question.alloy if reading.count is not None else ""
    )
    findings = list(judge(examined, difference, context))
    comparison: Comparison | str = NO_EARLIER
    if question.chain is not None:
        findings.extend(judge_files(node.name, question.chain, reading))
    if question.counter or question.windows is not None:
        comparison = _counted(node.name, question, reading)
        findings.extend(judge_count(node.name, comparison))
    return NodeResult(node.name, tuple(findings), reading, examined, comparison)


def _newest(examined: Examined, in_loki: Sequence[Mark]) -> datetime | None:
    """When the newest event in Loki was made, or the end of its minute."""
    ends = [minute + MINUTE for minute in examined.loki if minute not in examined.read]
    moments = [*(datetime.fromtimestamp(end, UTC) for end in ends), *(mark.moment for mark in in_loki)]
    return max(moments, default=None)


def _counted(name: str, question: Question, reading: Reading) -> Comparison | str:
    found = question.chain.last_of(name) if question.chain else None
    candidates: Sequence[Window | str] = (window(found[1].count if found else None, reading.count),)
    if question.windows is not None:
        candidates = question.windows.get(name) or (NONE_IN_PROMETHEUS,)
    asked = next(
        (each for each in candidates if isinstance(each, Window) and _reaches_back(reading, each)), candidates[0]
    )
    if isinstance(asked, str):
        return asked
    if reading.limits.mode == "batch":
        return "the API server writes its log in batches (audit-log-mode), so the newest events may not be in it yet"
    if not _reaches_back(reading, asked):
        return "no file reaches back to the earlier reading of the counter"
    return compared(asked, {stamp: reading.upto(stamp) for stamp in asked.stamps})


def _reaches_back(reading: Reading, asked: Window) -> bool:
    """Whether the files reach back to the earlier of two readings."""
    return reading.oldest is not None and reading.oldest <= _moment(asked.earlier.before)


def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).astimezone(UTC)


async def _marks_of_files(node: Node, reading: Reading, minutes: Sequence[Minute]) -> list[Mark]:
    wanted = set(minutes)
    first, last = (datetime.fromtimestamp(each, UTC) for each in (minutes[0], minutes[-1] + MINUTE))
    needed = {file.identity for file in with_minutes(reading.files, first, last)}
    skip = ",".join(file.identity for file in reading.files if file.identity not in needed)
    names = node_minutes(minutes)
    marks: list[Mark] = []
    for at in range(0, len(names), MINUTES_OF_A_QUESTION):
        arguments = {"log": node.log, "minutes": ",".join(names[at : at + MINUTES_OF_A_QUESTION]), "limit": "1000000"}
        answer = await node.reader.ask("ledger-events", arguments | ({"skip": skip} if skip else {}))
        marks.extend(mark for mark in parse_marks(answer) if mark.minute in wanted)
    return marks


def _marks_of_loki(loki: LokiReader, node: str, minutes: Sequence[Minute]) -> list[Mark]:
    return [mark for span in runs(minutes) for mark in loki.marks(node, span)]
