"""Answers and reports as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from auditlog.events.coverage import Coverage
from auditlog.events.questions import (
    AnonymousAnswer,
    Answer,
    DeprecatedAnswer,
    EscalationsAnswer,
    GapsAnswer,
    Occurrence,
    SecretsAnswer,
    WhoAnswer,
)
from auditlog.events.reading import Damage
from auditlog.events.replay import Lifetime, Line, Rate, ReplayReport, Table
from auditlog.events.tally import Volume


@dataclass(frozen=True, slots=True)
class Reading:
    """What is to be said about the reading itself: nodes without any event, left-out files, unreadable lines."""

    nodes_without_events: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    damage: Damage = Damage()  # noqa: RUF009 - immutable


def answer_json(question: str, answer: Answer, reading: Reading) -> str:
    """One JSON object: the question's name, the answer, and what was wrong with the logs."""
    return _json({"question": question, "answer": answer, "reading": reading})


def report_json(report: ReplayReport) -> str:
    """A replay report as one JSON object."""
    return _json(report)


def answer_text(answer: Answer, reading: Reading) -> str:
    """Tables, then how far the logs reach and what was wrong with them."""
    return "\n".join([*_answer_lines(answer), "", *_coverage_lines(answer, reading)]) + "\n"


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _answer_lines(answer: Answer) -> Iterator[str]:
    match answer:
        case WhoAnswer():
            yield from _occurrences(answer.matches) if answer.matches else ["No such request in these logs."]
            if answer.possible:
                yield ""
                yield "Deletions of whole collections, which name no object and may have hit it:"
                yield from _occurrences(answer.possible)
        case GapsAnswer():
            yield from _gaps(answer)
        case AnonymousAnswer():
            yield from _anonymous(answer)
        case EscalationsAnswer():
            yield from _escalations(answer)
        case SecretsAnswer():
            yield from _secrets(answer)
        case DeprecatedAnswer():
            yield from _deprecated(answer)


def _occurrences(occurrences: Iterable[Occurrence]) -> Iterator[str]:
    return table(
        ("TIME", "NODE", "USER", "VERB", "OBJECT", "CODE", "FROM", "WITH"),
        (
            (
                _time(each.time),
                each.node,
                _who(each.user, each.impersonated),
                each.verb,
                _object(each),
                _code(each.code),
                ",".join(each.source_ips),
                each.user_agent,
            )
            for each in occurrences
        ),
    )


def _object(each: Occurrence) -> str:
    if not each.resource:
        return each.path
    place = "/".join(part for part in (each.namespace, each.name) if part)
    return f"{each.resource} {place}" if place else each.resource


def _gaps(answer: GapsAnswer) -> Iterator[str]:
    if not answer.gaps:
        yield f"No gap over {answer.threshold_seconds:g} s."
        return
    meaning = {True: "wrote", False: "silent too", None: "not known"}
    yield from table(
        ("NODE", "FROM", "TO", "SECONDS", "OTHER NODES"),
        (
            (
                gap.node,
                _time(gap.silence.start),
                _time(gap.silence.end),
                f"{gap.seconds:.0f}",
                meaning[gap.others_wrote],
            )
            for gap in answer.gaps
        ),
    )


def _anonymous(answer: AnonymousAnswer) -> Iterator[str]:
    if not answer.accesses:
        yield "No request without an identity."
        return
    yield from table(
        ("REACH", "VERB", "TARGET", "NAMESPACE", "CODE", "COUNT", "FIRST", "LAST", "FROM", "WITH"),
        (
            (
                each.reach,
                each.verb,
                each.target,
                each.namespace or "-",
                _code(each.code),
                str(each.count),
                _time(each.first),
                _time(each.last),
                each.source_ip,
                each.user_agent,
            )
            for each in answer.accesses
        ),
    )


def _escalations(answer: EscalationsAnswer) -> Iterator[str]:
    if not answer.findings:
        yield "No binding to cluster-admin or to everyone, and no role with wildcards."
        return
    yield from table(
        ("TIME", "NODE", "USER", "VERB", "OBJECT", "CODE", "WHAT", "ROLE", "SUBJECTS", "KNOWN"),
        (
            (
                _time(each.request.time),
                each.request.node,
                _who(each.request.user, each.request.impersonated),
                each.request.verb,
                _object(each.request),
                _code(each.request.code),
                each.kind,
                each.role or "?",
                ", ".join(each.subjects) or "?",
                each.explanation,
            )
            for each in answer.findings
        ),
    )


def _secrets(answer: SecretsAnswer) -> Iterator[str]:
    if not answer.accesses:
        yield "No read of a Secret."
        return
    yield from table(
        ("READER", "USER", "VERB", "NAMESPACE", "SECRET", "ALLOWED", "COUNT", "FIRST", "LAST", "FROM", "WITH"),
        (
            (
                each.reader,
                _who(each.user, each.impersonated),
                each.verb,
                each.namespace or "all",
                each.name or "all",
                "yes" if each.allowed else "no",
                str(each.count),
                _time(each.first),
                _time(each.last),
                each.source_ip,
                each.user_agent,
            )
            for each in answer.accesses
        ),
    )


def _deprecated(answer: DeprecatedAnswer) -> Iterator[str]:
    if not answer.uses:
        yield "No use of a deprecated API."
        return
    yield from table(
        ("REMOVED IN", "API", "VERB", "USER", "COUNT", "FIRST", "LAST", "WITH"),
        (
            (
                each.removed_release or "?",
                each.api,
                each.verb,
                each.user,
                str(each.count),
                _time(each.first),
                _time(each.last),
                each.user_agent,
            )
            for each in answer.uses
        ),
    )


def _coverage_lines(answer: Answer, reading: Reading) -> Iterator[str]:
    coverage = answer.coverage
    if answer.left_out:
        yield f"Not shown: {answer.left_out} more."
    yield from _reach_lines(coverage)
    for node in reading.nodes_without_events:
        yield f"{safe(node)}: the log has no event at all."
    yield from _reading_lines(reading.notes, reading.damage)


def _reach_lines(coverage: Coverage) -> Iterator[str]:
    for node in coverage.nodes:
        yield f"{safe(node.node)}: {node.events} events from {_time(node.first)} to {_time(node.last)}."
        if node.longest_silence:
            longest = node.longest_silence
            yield (
                f"{safe(node.node)}: silent for over 60 s {node.silences} times, {node.silent_seconds:.0f} s in all; "
                f"longest from {_time(longest.start)} to {_time(longest.end)}."
            )
    for part in coverage.uncovered:
        start = _time(part.start) if part.start else "the beginning"
        end = _time(part.end) if part.end else "now"
        yield f"NOT COVERED on {safe(part.node)}: from {start} to {end}."
    if coverage.asked.since is None and coverage.asked.until is None and coverage.nodes:
        yield "No time range was asked for (--since, --until): before and after these times nothing is known."


def _reading_lines(notes: Iterable[str], damage: Damage) -> Iterator[str]:
    for note in notes:
        yield f"Note: {safe(note)}."
    if damage.count:
        yield f"{damage.count} unreadable places:"
        for each in damage.examples:
            yield f"  {safe(each.place)}: {safe(each.reason)}"
        if damage.count > len(damage.examples):
            yield f"  and {damage.count - len(damage.examples)} more"


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


def report_text(report: ReplayReport) -> str:
    """A replay report as tables."""
    return "\n".join(_report_lines(report)) + "\n"


def _report_lines(report: ReplayReport) -> Iterator[str]:
    tried = report.written is not None
    for node in report.nodes:
        if node.first is None or node.last is None:
            yield f"{safe(node.node)}: no events."
            continue
        yield f"{safe(node.node)}: {_time(node.first)} to {_time(node.last)}"
        yield f"  recorded     {_volume(node.recorded)}, {_per_day(node.recorded_per_day)}"
        if node.written is not None:
            yield f"  would write  {_volume(node.written)}, {_per_day(node.written_per_day)}"
    for each in report.tables:
        yield ""
        yield from _table_lines(each, report.recorded, tried=tried)
    if report.lifetimes:
        yield ""
        yield "DAYS UNTIL THE SPACE IS USED UP"
        yield from table(
            ("BUDGET", "SIZE", "AS RECORDED", *(("WITH THE TRIED POLICY",) if tried else ())),
            (_lifetime_row(lifetime, tried=tried) for lifetime in report.lifetimes),
        )
    if report.disagreeing:
        yield ""
        yield (
            f"{report.disagreeing} events have a level or a stage that the policy named as the one in force does not "
            "give: part of the log was written under another one."
        )
    if report.cannot_tell:
        yield ""
        yield "WHAT THIS LOG CANNOT TELL"
        for sentence in report.cannot_tell:
            yield f"- {sentence}"
    reading = list(_reading_lines(report.notes, report.damage))
    if reading:
        yield ""
        yield from reading


def _table_lines(shown: Table, total: Volume, *, tried: bool) -> Iterator[str]:
    yield _TITLES[shown.dimension]
    header = ["NAME", "EVENTS", "BYTES", "SHARE", "EVENTS/DAY", "BYTES/DAY"]
    if tried:
        header += ["WOULD WRITE", "BYTES", "BYTES/DAY"]
    lines = [*shown.lines, *([shown.others] if shown.others else [])]
    yield from table(header, (_row(line, total, tried=tried) for line in lines), right=range(1, len(header)))
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
    """`1.5 GB`: decimal units, as disks and log stores are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> Iterator[str]:
    """Aligned columns; `right` are the columns aligned to the right."""
    cells = [list(header), *([safe(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    ends = frozenset(right)
    for row in cells:
        yield "  ".join(
            cell.rjust(width) if column in ends else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()


def safe(text: str) -> str:
    """Text a terminal shows as it is: clients choose their user agent, and may put control characters in it."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _code(code: int) -> str:
    return str(code) if code else "-"


def _who(user: str, impersonated: str) -> str:
    return f"{user} as {impersonated}" if impersonated else user or "(not authenticated)"
