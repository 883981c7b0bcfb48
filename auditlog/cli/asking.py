"""Asking a question of an investigation: where the log is, what is known of the cluster, and what is printed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from auditlog.cli.common import UsageError, add_logs, add_processes, processes_of
from auditlog.cli.known import add_known, known_cluster, with_history
from auditlog.cli.logs import NO_LOG, add_nodes, given_logs, reads_nodes
from auditlog.cli.loki import add_loki, loki_store
from auditlog.cli.output import Output, write
from auditlog.cli.terminal import progress_bar
from auditlog.cli.times import add_times, resolve_times
from auditlog.events.answer_text import Reading, answer_json, answer_text
from auditlog.events.coverage import CoverageWatch, TimeRange
from auditlog.events.event import Event, Sighting
from auditlog.events.evidence import Evidence
from auditlog.events.in_parts import PART_BYTES, PartsReading, Wanted, read_in_parts
from auditlog.events.judgement import Known, Material, judge, judge_gaps
from auditlog.events.layout import shown_in
from auditlog.events.loki import filters
from auditlog.events.loki.store import LokiStore
from auditlog.events.outcome import EXIT_CODES, Outcome
from auditlog.events.parts import can_share, cut
from auditlog.events.questions import Answer, GapsAnswer
from auditlog.events.reading import DamageLog, Progress, check_logs, read, read_containing
from auditlog.events.sources import LogSet
from auditlog.policy.recording import Need

Find = Callable[[Sequence[str]], Iterator[Sighting]]
"""Every event that holds one of these plain texts, anywhere in its line."""


@dataclass(frozen=True, slots=True)
class Question:
    """How a question is asked. `need` is what it looks for, `line_filter` what Loki may leave out beforehand.

    Both are None for gaps, which are no requests: Loki finds them by `in_loki`.
    """

    name: str
    ask: Callable[[argparse.Namespace, Iterable[Sighting]], Answer]
    need: Callable[[argparse.Namespace, Answer], Need] | None
    line_filter: Callable[[argparse.Namespace], str] | None
    records: tuple[str, ...]
    """The rows of CSV, as in `auditlog.cli.output.Output`."""
    in_loki: Callable[[argparse.Namespace, LokiStore], Answer] | None = None
    remarks: Callable[[argparse.Namespace, Answer, Evidence], Iterator[str]] = lambda *_: iter(())
    """What people should know about the names they gave."""
    custom_resource: Callable[[argparse.Namespace], str] = lambda _: ""
    """The plural that is asked for where it is not built in."""
    wanted: Callable[[argparse.Namespace], Callable[[], Wanted] | None] = lambda _: None
    """Which events it may want, for several processes to read the log; None if it needs all of them or their order."""
    event_type: type[Event] = Event
    """What lines are decoded to."""
    prepare: Callable[[argparse.Namespace, Find], None] | None = None
    """What must be looked up in the log before the question can be asked."""


@dataclass(frozen=True, slots=True)
class _Found:
    """An answer, and what it was read from."""

    answer: Answer
    material: Material
    notes: tuple[str, ...]
    known: Known


def add_question(parser: argparse.ArgumentParser, question: Question) -> None:
    """Gives a command the options that all questions share, and lets it ask."""
    parser.epilog = EXIT_CODES
    add_logs(parser)
    add_times(parser)
    add_known(parser)
    add_nodes(parser)
    add_loki(parser)
    add_processes(parser)
    parser.set_defaults(run=lambda arguments: run(question, arguments))


def time_of(arguments: argparse.Namespace) -> TimeRange:
    """The range that `--since` and `--until` give."""
    return TimeRange(arguments.since, arguments.until)


def run(question: Question, arguments: argparse.Namespace) -> int:
    """Asks the question, prints the answer, and returns its exit code."""
    resolve_times(arguments)
    arguments.processes = processes_of(arguments)
    with shown_in(arguments.time_zone):
        return _answered(question, arguments)


def _answered(question: Question, arguments: argparse.Namespace) -> int:
    known, notes = known_cluster(arguments)
    if arguments.loki:
        found = _from_loki(question, arguments, known)
    elif arguments.logs or reads_nodes(arguments):
        with given_logs(arguments, arguments.since) as logs:
            found = _from_files(question, arguments, known, logs)
    else:
        raise UsageError(f"{NO_LOG}, or --loki URL")
    answer = found.answer
    notes = (*notes, *found.known.notes, *question.remarks(arguments, answer, found.material.evidence))
    outcome = _outcome(question, arguments, found)
    reading = Reading(found.material.empty_nodes, (*found.notes, *notes), found.material.damage)
    write(
        arguments.output,
        Output(
            lambda width: answer_text(answer, outcome, reading, width),
            lambda: answer_json(question.name, answer, outcome, reading),
            question.records,
        ),
    )
    return outcome.exit_code


def _outcome(question: Question, arguments: argparse.Namespace, found: _Found) -> Outcome:
    if isinstance(found.answer, GapsAnswer):
        return judge_gaps(found.answer, found.known, found.material)
    assert question.need is not None  # noqa: S101 - every other question looks for requests
    return judge(found.answer, question.need(arguments, found.answer), found.known, found.material)


def _from_files(question: Question, arguments: argparse.Namespace, known: Known, logs: LogSet) -> _Found:
    damage = DamageLog()
    known = with_history(known, arguments, logs.histories)
    evidence = Evidence(known.policy, time_of(arguments), history=known.history)
    if question.prepare is not None:
        question.prepare(arguments, lambda texts: read_containing(logs, texts, question.event_type))
    with progress_bar(logs.size) as progress:
        answer = _read_for(question, arguments, logs, evidence, damage, progress)
    check_logs(logs, damage, evidence.nodes)
    coverage = answer.coverage
    seen = {node.node for node in coverage.nodes} | {part.node for part in coverage.uncovered}
    without_events = dict.fromkeys(file.node for file in logs.files if file.node not in seen)
    return _Found(answer, Material(evidence, tuple(without_events), damage.result()), logs.notes, known)


def _read_for(
    question: Question,
    arguments: argparse.Namespace,
    logs: LogSet,
    evidence: Evidence,
    damage: DamageLog,
    progress: Progress,
) -> Answer:
    """The answer from one pass over the files, by as many processes as the question allows."""
    parts, processes = tuple(cut(logs, PART_BYTES)), arguments.processes
    wanted = question.wanted(arguments)
    if wanted is None or not can_share(parts, processes):
        return question.ask(arguments, evidence.over(read(logs, damage, progress, event_type=question.event_type)))
    watch = CoverageWatch(evidence.time)
    reading = PartsReading(parts, processes, wanted, question.event_type)
    answer = question.ask(arguments, read_in_parts(reading, evidence, watch, damage, progress))
    return replace(answer, coverage=watch.result())


def _from_loki(question: Question, arguments: argparse.Namespace, known: Known) -> _Found:
    """Loki leaves out what cannot matter, so how far its events reach is asked on its own."""
    store, notes = loki_store(arguments)
    arguments.since, arguments.until = store.since, store.until
    damage = DamageLog()
    evidence = Evidence(known.policy, store.time, is_whole=False, history=known.history)
    answer: Answer
    if question.prepare is not None:
        question.prepare(
            arguments,
            lambda texts: store.read(filters.any_of(texts), DamageLog(), event_type=question.event_type),
        )
    if question.in_loki is not None:
        answer = question.in_loki(arguments, store)
    else:
        assert question.line_filter is not None  # noqa: S101 - every other question has one
        with progress_bar(0) as progress:
            lines = store.read(question.line_filter(arguments), damage, progress, question.event_type)
            answer = question.ask(arguments, evidence.over(lines))
        answer = replace(answer, coverage=store.coverage())
    if resource := question.custom_resource(arguments):
        # Events about it may have been left out for another reason.
        evidence.resources.update({resource} if any(store.counts(filters.of_resource(resource)).values()) else ())
    if known.policy is None and known.history is None:
        evidence.beats.update(store.counts(filters.HEARTBEAT))
    if not answer.coverage.nodes:
        notes = (*notes, f"Loki has no event of {store.selector} in this time: nothing is known")
    silent = store.silent_nodes(answer.coverage)
    names = (*silent, *(node.node for node in answer.coverage.nodes))
    clusters = tuple(sorted({name.partition("/")[0] for name in names if "/" in name}))
    return _Found(answer, Material(evidence, silent, damage.result(), clusters), notes, known)
