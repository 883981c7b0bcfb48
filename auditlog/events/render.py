"""A replay report as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator

from auditlog.events.answer_text import as_json, reading_lines
from auditlog.events.layout import safe, table, when
from auditlog.events.replay import Lifetime, Line, Rate, ReplayReport, Table
from auditlog.events.tally import Volume


def report_json(report: ReplayReport) -> str:
    """A replay report as one JSON object."""
    return as_json(report)


_TITLES = {
    "day": "BY DAY (UTC)",
    "level": "BY LEVEL",
    "stage": "BY STAGE",
    "rule": "BY RULE OF THE TRIED POLICY",
    "recorded_rule": "BY RULE OF THE POLICY IN FORCE",
    "user": "BY USER",
    "resource": "BY RESOURCE",
    "namespace": "BY NAMESPACE",
}


def report_text(report: ReplayReport, width: int | None = None) -> str:
    """A replay report as tables of at most `width` columns. None: no limit."""
    return "\n".join(_report_lines(report, width)) + "\n"


def _report_lines(report: ReplayReport, width: int | None) -> Iterator[str]:
    tried = report.written is not None
    for node in report.nodes:
        if node.first is None or node.last is None:
            yield f"{safe(node.node)}: no events."
            continue
        yield f"{safe(node.node)}: {when(node.first)} to {when(node.last)}"
        yield f"  recorded     {_volume(node.recorded)}, {_per_day(node.recorded_per_day)}"
        if node.written is not None:
            yield f"  would write  {_volume(node.written)}, {_per_day(node.written_per_day)}"
    for each in report.tables:
        yield ""
        yield from _table_lines(each, report.recorded, width, tried=tried)
    if report.lifetimes:
        yield ""
        yield "DAYS UNTIL THE SPACE IS USED UP"
        yield from table(
            ("BUDGET", "SIZE", "AS RECORDED", *(("WITH THE TRIED POLICY",) if tried else ())),
            (_lifetime_row(lifetime, tried=tried) for lifetime in report.lifetimes),
            width=width,
        )
    if report.disagreeing:
        yield ""
        yield (
            f"{report.disagreeing} events have a level or stage that the named policy does not give: part of the log "
            "was written under another policy."
        )
    if report.cannot_tell:
        yield ""
        yield "WHAT THIS LOG CANNOT TELL"
        for sentence in report.cannot_tell:
            yield f"- {sentence}"
    reading = list(reading_lines(report.notes, report.damage))
    if reading:
        yield ""
        yield from reading


def _table_lines(shown: Table, total: Volume, width: int | None, *, tried: bool) -> Iterator[str]:
    yield _TITLES[shown.dimension]
    header = ["NAME", "EVENTS", "BYTES", "SHARE", "EVENTS/DAY", "BYTES/DAY"]
    if tried:
        header += ["WOULD WRITE", "BYTES", "BYTES/DAY"]
    lines = [*shown.lines, *([shown.others] if shown.others else [])]
    yield from table(
        header, (_row(line, total, tried=tried) for line in lines), right=range(1, len(header)), width=width
    )
    if shown.undercount:
        yield f"(more names than are kept: a name may have {human_bytes(shown.undercount)} more than shown)"


def _row(line: Line, total: Volume, *, tried: bool) -> list[str]:
    share = 100 * line.recorded.bytes / total.bytes if total.bytes else 0.0
    row = [line.name, str(line.recorded.events), human_bytes(line.recorded.bytes), f"{share:.1f}%"]
    row += _rate_cells(line.recorded_per_day)
    if tried and line.written is not None:
        row += [str(line.written.events), human_bytes(line.written.bytes), _rate_cells(line.written_per_day)[1]]
    return row


def _rate_cells(rate: Rate | None) -> list[str]:
    return [f"{rate.events:.0f}", human_bytes(rate.bytes)] if rate else ["-", "-"]


def _lifetime_row(lifetime: Lifetime, *, tried: bool) -> list[str]:
    row = [lifetime.budget, human_bytes(lifetime.bytes), _days(lifetime.recorded_days)]
    if tried:
        row.append(_days(lifetime.written_days))
    if lifetime.limited_by_age:
        row[-1] += " (then deleted by age)"
    return row


def _days(days: float | None) -> str:
    return "not known" if days is None else f"{days:.1f}"


def _volume(volume: Volume) -> str:
    return f"{volume.events} events, {human_bytes(volume.bytes)}"


def _per_day(rate: Rate | None) -> str:
    if rate is None:
        return "too short for a rate per day"
    return f"{rate.events:.0f} events and {human_bytes(rate.bytes)} per day"


def human_bytes(size: float) -> str:
    """`1.5 GB`: decimal units, as on disks and price lists of log stores."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
