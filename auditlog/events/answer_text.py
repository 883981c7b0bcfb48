"""Answers as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from auditlog.events.coverage import Coverage
from auditlog.events.layout import paragraph, safe, table, when
from auditlog.events.outcome import Doubt, Outcome, Verdict
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
from auditlog.events.story.lineage import LineageAnswer
from auditlog.events.story.timeline import TimelineAnswer

MOST_DOUBTS = 8
"""How many reasons the text gives."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What people should know about the reading: nodes without any event, left-out files, unreadable lines."""

    nodes_without_events: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    damage: Damage = Damage()  # noqa: RUF009 - immutable


def answer_json(question: str, answer: Answer, outcome: Outcome, reading: Reading) -> str:
    """One JSON object: the question's name, its outcome, the answer, and what was wrong with the logs."""
    return as_json({"question": question, "outcome": outcome, "answer": answer, "reading": reading})


def answer_text(answer: Answer, outcome: Outcome, reading: Reading, width: int | None = None) -> str:
    """The verdict, tables, what may be missing, and how far the logs reach. `width` None: no limit."""
    shown = list(_answer_lines(answer, width))
    parts = [
        [] if outcome.verdict is Verdict.FOUND else list(_verdict_lines(answer, outcome, width)),
        shown,
        list(_missing_lines(outcome, width)) if outcome.verdict is Verdict.FOUND else [],
        [line for text in _coverage_lines(answer, reading) for line in paragraph(text, width)],
        list(reading_lines(reading.notes, reading.damage, width)),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def as_json(value: object) -> str:
    """One value as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _verdict_lines(answer: Answer, outcome: Outcome, width: int | None) -> Iterator[str]:
    nothing = _nothing(answer)
    if outcome.verdict is Verdict.NONE and outcome.first is not None and outcome.last is not None:
        yield from paragraph(
            f"Certainly none: {nothing}. This holds from {when(outcome.first)} to {when(outcome.last)}.", width
        )
        return
    is_silent = isinstance(answer, GapsAnswer) and answer.gaps
    said = "the logs are silent, and that may be a quiet time" if is_silent else f"{nothing} in these logs"
    yield from paragraph(f"Cannot be known: {said}{'' if is_silent else ', and they might not show it'}.", width)
    yield from _doubts_lines(outcome, width, with_remedy=True)


def _nothing(answer: Answer) -> str:
    match answer:
        case WhoAnswer():
            return "no such request"
        case GapsAnswer():
            return f"no gap over {answer.threshold_seconds:g} seconds"
        case AnonymousAnswer():
            return "no request without an identity, health probes, version and cluster-info apart"
        case EscalationsAnswer():
            return "no binding to cluster-admin or to everyone, and no role with wildcards"
        case SecretsAnswer():
            return "no read of a Secret"
        case DeprecatedAnswer():
            return "no use of a deprecated API, the control plane's own apart"
        case LineageAnswer():
            return f"no event and no credential is called {safe(answer.subject)}"
        case TimelineAnswer():
            return f"no request that belongs to the story of {safe(answer.subject)}"
    raise AssertionError(f"no words for {type(answer).__name__}")


def _missing_lines(outcome: Outcome, width: int | None) -> Iterator[str]:
    if outcome.doubts:
        yield "More may be missing:"
        yield from _doubts_lines(outcome, width, with_remedy=False)


def _doubts_lines(outcome: Outcome, width: int | None, *, with_remedy: bool) -> Iterator[str]:
    for doubt in outcome.doubts[:MOST_DOUBTS]:
        yield from _doubt_lines(doubt, width, with_remedy=with_remedy)
    if len(outcome.doubts) > MOST_DOUBTS:
        yield f"- and {len(outcome.doubts) - MOST_DOUBTS} more reasons; -o json lists them."


def _doubt_lines(doubt: Doubt, width: int | None, *, with_remedy: bool) -> Iterator[str]:
    yield from paragraph(f"- {safe(doubt.reason)}.", width)
    if not with_remedy:
        return
    if doubt.rule is not None:
        yield from paragraph(f"Rule {doubt.rule}: {doubt.rule_text}", width, "  ")
    if doubt.advice:
        yield from paragraph(f"{doubt.advice}{':' if doubt.remedy else '.'}", width, "  ")
    # As it is: to be pasted into a policy.
    yield from doubt.remedy.splitlines()


def _answer_lines(answer: Answer, width: int | None) -> Iterator[str]:
    match answer:
        case WhoAnswer():
            yield from _who_lines(answer, width)
        case GapsAnswer():
            yield from _gaps(answer, width)
        case AnonymousAnswer():
            yield from _anonymous(answer, width)
        case EscalationsAnswer():
            yield from _escalations(answer, width)
        case SecretsAnswer():
            yield from _secrets(answer, width)
        case DeprecatedAnswer():
            yield from _deprecated(answer, width)
        case LineageAnswer():
            yield from _lineage(answer, width)
        case TimelineAnswer():
            # A sentence a line, whatever the terminal: they are searched and cut by lines.
            yield from (f"{when(each.time)}  {safe(each.sentence)}." for each in answer.entries)


def _who_lines(answer: WhoAnswer, width: int | None) -> Iterator[str]:
    if answer.matches:
        yield from _occurrences(answer.matches, width)
    if answer.possible:
        if answer.matches:
            yield ""
        yield "Deletions of whole collections, which name no object and may have hit it:"
        yield from _occurrences(answer.possible, width)


def _occurrences(occurrences: Iterable[Occurrence], width: int | None) -> Iterator[str]:
    shown = list(occurrences)
    is_annotated = any(each.changed for each in shown)
    return table(
        ("TIME", "NODE", "USER", "VERB", "OBJECT", "CODE", "FROM", "WITH", *(("WHAT",) if is_annotated else ())),
        (
            (
                when(each.time),
                each.node,
                _who(each.user, each.impersonated),
                each.verb,
                _object(each),
                _code(each.code),
                ",".join(each.source_ips),
                each.user_agent,
                *((each.changed,) if is_annotated else ()),
            )
            for each in shown
        ),
        width=width,
    )


def _object(each: Occurrence) -> str:
    if not each.resource:
        return each.path
    place = "/".join(part for part in (each.namespace, each.name) if part)
    return f"{each.resource} {place}" if place else each.resource


def _rows(headers: Sequence[str], rows: Iterable[Sequence[str]], width: int | None) -> Iterator[str]:
    """The table; nothing where it has no row."""
    shown = list(rows)
    if shown:
        yield from table(headers, shown, width=width)


def _gaps(answer: GapsAnswer, width: int | None) -> Iterator[str]:
    meaning = {True: "wrote", False: "silent too", None: "not known"}
    return _rows(
        ("NODE", "FROM", "TO", "SECONDS", "OTHER NODES"),
        (
            (
                gap.node,
                when(gap.silence.start),
                when(gap.silence.end),
                f"{gap.seconds:.0f}",
                meaning[gap.others_wrote],
            )
            for gap in answer.gaps
        ),
        width,
    )


def _anonymous(answer: AnonymousAnswer, width: int | None) -> Iterator[str]:
    return _rows(
        ("REACH", "VERB", "TARGET", "NAMESPACE", "CODE", "COUNT", "FIRST", "LAST", "FROM", "WITH"),
        (
            (
                each.reach,
                each.verb,
                each.target,
                each.namespace or "-",
                _code(each.code),
                str(each.count),
                when(each.first),
                when(each.last),
                each.source_ip,
                each.user_agent,
            )
            for each in answer.accesses
        ),
        width,
    )


def _escalations(answer: EscalationsAnswer, width: int | None) -> Iterator[str]:
    return _rows(
        ("TIME", "NODE", "USER", "VERB", "OBJECT", "CODE", "WHAT", "ROLE", "SUBJECTS", "KNOWN"),
        (
            (
                when(each.request.time),
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
        width,
    )


def _secrets(answer: SecretsAnswer, width: int | None) -> Iterator[str]:
    return _rows(
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
                when(each.first),
                when(each.last),
                each.source_ip,
                each.user_agent,
            )
            for each in answer.accesses
        ),
        width,
    )


def _deprecated(answer: DeprecatedAnswer, width: int | None) -> Iterator[str]:
    return _rows(
        ("REMOVED IN", "API", "VERB", "USER", "COUNT", "FIRST", "LAST", "WITH"),
        (
            (
                each.removed_release or "?",
                each.api,
                each.verb,
                each.user,
                str(each.count),
                when(each.first),
                when(each.last),
                each.user_agent,
            )
            for each in answer.uses
        ),
        width,
    )


def _lineage(answer: LineageAnswer, width: int | None) -> Iterator[str]:
    for number, link in enumerate(answer.chain):
        credential = link.credential or "no credential"
        start = "Asked about" if number == 0 else "Sent with"
        yield from paragraph(f"{start}: {safe(credential)} of {safe(link.user) or '(not authenticated)'}", width)
        if link.issued is not None:
            yield f"  {when(link.issued.time)}  {safe(link.issued.sentence)}."
        else:
            yield from paragraph(f"Cannot be known: {safe(link.unknown)}. {link.advice}.", width, "  ")
    if not answer.uses:
        return
    yield ""
    yield from table(
        ("CREDENTIAL", "USER", "ISSUED WITH", "REQUESTS", "REFUSED", "FIRST", "LAST", "FROM", "WITH"),
        (
            (
                each.credential,
                each.user,
                each.issued_with,
                str(each.requests),
                str(each.refused),
                when(each.first) if each.first else "-",
                when(each.last) if each.last else "-",
                ", ".join(each.addresses),
                ", ".join(each.programs),
            )
            for each in answer.uses
        ),
        width=width,
    )
    if answer.entries:
        yield ""
    yield from (f"{when(each.time)}  {safe(each.sentence)}." for each in answer.entries)


def _coverage_lines(answer: Answer, reading: Reading) -> Iterator[str]:
    coverage = answer.coverage
    yield from _left_out_lines(answer)
    yield from _reach_lines(coverage)
    for node in reading.nodes_without_events:
        yield f"{safe(node)}: the log has no event at all."


def _left_out_lines(answer: Answer) -> Iterator[str]:
    if answer.left_out and not isinstance(answer, TimelineAnswer | LineageAnswer):
        yield f"Not shown: {answer.left_out} more."
    if isinstance(answer, WhoAnswer) and answer.housekeeping:
        yield (f"Left out: {answer.housekeeping} events about the cluster's own leases and events; --all shows them.")
    if isinstance(answer, TimelineAnswer) and answer.routine:
        yield f"Left out: {answer.routine} status updates and reads by the cluster itself; --all shows them."
    if isinstance(answer, DeprecatedAnswer) and answer.own:
        apis = ", ".join(sorted({use.api for use in answer.own}))
        count = sum(use.count for use in answer.own)
        yield f"Left out: {count} requests by the control plane itself ({apis}); an upgrade of Kubernetes ends them."


def _reach_lines(coverage: Coverage) -> Iterator[str]:
    asked = coverage.asked
    if asked.since is not None or asked.until is not None:
        start = when(asked.since) if asked.since else "the beginning"
        end = when(asked.until) if asked.until else "the end"
        yield f"Asked for: from {start} to {end}."
    for node in coverage.nodes:
        yield f"{safe(node.node)}: {node.events} events from {when(node.first)} to {when(node.last)}."
        if node.longest_silence:
            longest = node.longest_silence
            yield (
                f"{safe(node.node)}: silent for over 60 s {node.silences} times, {node.silent_seconds:.0f} s in all; "
                f"longest from {when(longest.start)} to {when(longest.end)}."
            )
    for part in coverage.uncovered:
        start = when(part.start) if part.start else "the beginning"
        end = when(part.end) if part.end else "now"
        yield f"NOT COVERED on {safe(part.node)}: from {start} to {end}."
    if asked.since is None and asked.until is None and coverage.nodes:
        yield "No time range was asked for (--since, --until): before and after these times nothing is known."


def reading_lines(notes: Iterable[str], damage: Damage, width: int | None = None) -> Iterator[str]:
    """What people should know about the files, and which parts cannot be read."""
    for note in notes:
        yield from paragraph(f"Note: {safe(note)}.", width)
    if damage.count:
        yield f"{damage.count} unreadable places:"
        for each in damage.examples:
            yield f"  {safe(each.place)}: {safe(each.reason)}"
        if damage.count > len(damage.examples):
            yield f"  and {damage.count - len(damage.examples)} more"


def _code(code: int) -> str:
    return str(code) if code else "-"


def _who(user: str, impersonated: str) -> str:
    return f"{user} as {impersonated}" if impersonated else user or "(not authenticated)"
