"""The result of a run, as text for people and JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from auditlog.events.layout import safe
from auditlog.ledger.counter import Comparison
from auditlog.ledger.finding import Finding, Verdict, Weight, verdict_of
from auditlog.ledger.marks import Mark
from auditlog.ledger.minutes import Span
from auditlog.ledger.run import NodeResult
from auditlog.ledger.sums import count_by_stage

NAMED_IN_TEXT = 5
NAMED_IN_JSON = 1000


@dataclass(frozen=True, slots=True)
class Report:
    """A run. ``chain`` says what the chain vouches for. ``head`` is its last record's digest; "" without a chain.

    ``moved`` is the bytes of all answers from the nodes and Loki. ``seconds`` is how long the run took.
    """

    span: Span
    nodes: tuple[NodeResult, ...]
    of_chain: tuple[Finding, ...] = ()
    chain: tuple[str, ...] = ()
    head: str = ""
    notes: tuple[str, ...] = ()
    moved: tuple[int, int] = (0, 0)
    seconds: float = 0

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings about all nodes and the chain."""
        return (*self.of_chain, *(finding for node in self.nodes for finding in node.findings))

    @property
    def verdict(self) -> Verdict:
        """The verdict of the run."""
        return verdict_of(self.findings)


def text_report(report: Report, zone: tzinfo = UTC) -> str:
    """The report for people, with times in the zone."""
    return "\n".join(_lines(report, zone)) + "\n"


def json_report(report: Report) -> str:
    """The report for programs."""
    values = {
        "verdict": report.verdict.value,
        "exit_code": report.verdict.exit_code,
        "since": _iso(report.span.since),
        "until": _iso(report.span.until),
        "nodes": [_node(each) for each in report.nodes],
        "findings": [_finding(each) for each in report.findings],
        "chain": {"head": report.head, "vouches": list(report.chain)} if report.head else None,
        "notes": list(report.notes),
        "bytes_from_nodes": report.moved[0],
        "bytes_from_loki": report.moved[1],
        "seconds": round(report.seconds, 2),
    }
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _lines(report: Report, zone: tzinfo) -> Iterator[str]:
    since, until = (datetime.fromtimestamp(each, zone) for each in (report.span.since, report.span.until))
    yield f"{report.verdict.value}: {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M %Z}"
    yield ""
    rows = [("NODE", "MINUTES", "FILES", "LOKI", "COUNTER", "VERDICT"), *(_row(each) for each in report.nodes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for weight, heading in ((Weight.LOSS, "Loss:"), (Weight.UNKNOWN, "Cannot be known:"), (Weight.NOTE, "Notes:")):
        found = [finding for finding in report.findings if finding.weight is weight]
        others = report.notes if weight is Weight.NOTE else ()
        if found or others:
            yield ""
            yield heading
        for finding in found:
            yield from _sentences(finding, zone)
        yield from (f"  {note}" for note in others)
    if report.head:
        yield ""
        yield "Chain:"
        yield from (f"  {line}" for line in report.chain)
        yield f"  head {report.head}"
    yield ""
    yield f"{_size(report.moved[0])} from the nodes, {_size(report.moved[1])} from Loki, {report.seconds:.1f} s"


def _row(result: NodeResult) -> tuple[str, ...]:
    verdict = verdict_of(result.findings).value
    examined = result.examined
    if examined is None:
        return (safe(result.name), "-", "-", "-", "-", verdict)
    loki = sum(count for minute, count in examined.loki.items() if minute in examined.compared)
    return (
        safe(result.name),
        str(len(examined.compared)),
        str(examined.events),
        str(loki),
        _counted(result.comparison),
        verdict,
    )


def _counted(comparison: Comparison | str) -> str:
    if isinstance(comparison, str):
        return "not known"
    return str(comparison.counted)


def _sentences(finding: Finding, zone: tzinfo) -> Iterator[str]:
    where = f"{safe(finding.node)}: " if finding.node else ""
    count = f"{finding.count} events, " if finding.count else ""
    time = (
        f"{_span(finding.since.astimezone(zone), finding.until.astimezone(zone))}: "
        if finding.since and finding.until
        else ""
    )
    yield f"  {where}{finding.kind.value}: {count}{time}{safe(finding.sentence)}"
    for mark in finding.events[:NAMED_IN_TEXT]:
        yield f"    {_moment(mark.moment.astimezone(zone))} {safe(mark.audit_id)} {safe(mark.stage)}"
    if len(finding.events) > NAMED_IN_TEXT:
        yield f"    and {len(finding.events) - NAMED_IN_TEXT} more (-o json names {NAMED_IN_JSON})"


def _node(result: NodeResult) -> dict[str, Any]:
    examined, comparison = result.examined, result.comparison
    values: dict[str, Any] = {"node": result.name, "verdict": verdict_of(result.findings).value}
    if examined is not None:
        values |= {
            "since": _iso(examined.compared.since),
            "until": _iso(examined.compared.until),
            "minutes": len(examined.compared),
            "minutes_that_differ": len(examined.read) + len(examined.unread),
            "events_in_files": examined.events,
            "events_in_loki": sum(count for minute, count in examined.loki.items() if minute in examined.compared),
            "stages": count_by_stage(
                {key: each for key, each in examined.files_sums.items() if key.minute in examined.compared}
            ),
        }
    if isinstance(comparison, str):
        values["counter"] = {"known": False, "reason": comparison}
    else:
        values["counter"] = {
            "known": True,
            "events": comparison.counted,
            "events_in_files_at_least": comparison.least,
            "events_in_files_at_most": comparison.most,
        }
    return values


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "node": finding.node,
        "kind": finding.kind.value,
        "weight": finding.weight.value,
        "sentence": finding.sentence,
        "count": finding.count,
        "since": finding.since.isoformat() if finding.since else None,
        "until": finding.until.isoformat() if finding.until else None,
        "events": _marks(finding.events),
    }


def _marks(marks: Sequence[Mark]) -> list[dict[str, Any]]:
    return [
        {"time": mark.moment.isoformat(), "auditID": mark.audit_id, "stage": mark.stage}
        for mark in marks[:NAMED_IN_JSON]
    ]


def _span(since: datetime, until: datetime) -> str:
    first, last = f"{since:%Y-%m-%d %H:%M:%S}", f"{until:%Y-%m-%d %H:%M:%S}"
    return first if first == last else f"{first} to {last if first[:10] != last[:10] else last[11:]}"


def _moment(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def readable(findings: Iterable[Finding]) -> str:
    """The kinds of some findings, for messages."""
    return ", ".join(sorted({finding.kind.value for finding in findings}))
