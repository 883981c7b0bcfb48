"""`detections --replay`: what every detection would have rung over a stretch of the log."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence

from auditlog.annotations.read import catalogue
from auditlog.cli.common import UsageError
from auditlog.cli.known import known_cluster
from auditlog.cli.logs import NO_LOG, given_logs, reads_nodes
from auditlog.cli.loki import loki_store
from auditlog.cli.named_policy import named_entries
from auditlog.cli.output import FORMATS, Output, fitted, write
from auditlog.cli.terminal import progress_bar
from auditlog.cli.times import resolve_times
from auditlog.detections.annotated import forms, written_keys
from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.in_files import Watches, occurrence
from auditlog.detections.logql import log_query
from auditlog.detections.model import Detection, Events
from auditlog.detections.replay_report import Replay, doubts_of, replay_json, replay_text
from auditlog.detections.rings import Occurrence, replayed
from auditlog.events.coverage import CoverageWatch, TimeRange
from auditlog.events.event import Recorded
from auditlog.events.judgement import Known
from auditlog.events.layout import shown_in
from auditlog.events.logql import SELECTOR
from auditlog.events.loki.store import LokiStore
from auditlog.events.reading import DamageLog, check_logs, read_lines
from auditlog.settings import AlertSettings


def run_replay(arguments: argparse.Namespace) -> int:
    """Runs the command. Raises UsageError, SourceError, LokiError."""
    if arguments.output not in FORMATS:
        raise UsageError(f"detections --replay: -o is {arguments.output}; allowed: {', '.join(FORMATS)}")
    resolve_times(arguments)
    with shown_in(arguments.time_zone):
        known, _ = known_cluster(arguments)
        settings = _settings(arguments)
        if arguments.loki:
            replay = _from_loki(arguments, known, settings)
        elif arguments.logs or reads_nodes(arguments):
            replay = _from_files(arguments, known, settings)
        else:
            raise UsageError(f"{NO_LOG}, or --loki URL")
        answer = Output(lambda width: fitted(replay_text(replay), width), lambda: replay_json(replay), ("rings",))
        write(arguments.output, answer)
    return replay.verdict.exit_code


def _settings(arguments: argparse.Namespace) -> AlertSettings:
    if arguments.stack is None:
        return AlertSettings()
    from auditlog.cli.stack import read_stack

    return read_stack(arguments.stack).settings().alerts


def _chosen(settings: AlertSettings) -> tuple[Detection, ...]:
    return tuple(each for each in DETECTIONS if isinstance(each.source, Events) and each.id not in settings.disable)


def _replay(settings: AlertSettings, found: Mapping[Detection, list[Occurrence]], doubts: tuple[str, ...]) -> Replay:
    rang = tuple(replayed(each, counted, settings.thresholds.get(each.id)) for each, counted in found.items())
    return Replay(rang, tuple(each.id for each in DETECTIONS if each not in found), doubts)


def _from_files(arguments: argparse.Namespace, known: Known, settings: AlertSettings) -> Replay:
    chosen = _chosen(settings)
    watches = Watches(chosen, settings.ignore_users)
    damage, watch = DamageLog(), CoverageWatch(TimeRange(arguments.since, arguments.until))
    with given_logs(arguments, arguments.since) as logs:
        with progress_bar(logs.size) as progress:
            for recorded in _within(watch, read_lines(logs, damage, progress)):
                watches.note(recorded.event, recorded.line)
        coverage = watch.result()
        check_logs(logs, damage, {node.node for node in coverage.nodes} | {part.node for part in coverage.uncovered})
        seen = {node.node for node in coverage.nodes}
        missing = sorted({file.node for file in logs.files} - seen)
    doubts = doubts_of(chosen, known, _written(arguments), coverage, damage.result(), missing)
    return _replay(settings, watches.counted, doubts)


def _written(arguments: argparse.Namespace) -> frozenset[str]:
    """The keys that annotations write, as far as the arguments say."""
    policy = f"stack:{arguments.stack}" if arguments.stack else arguments.policy or ""
    return written_keys(named_entries(policy, annotated=arguments.annotations))


def _within(watch: CoverageWatch, events: Iterable[Recorded]) -> Iterator[Recorded]:
    """Events whose stage is in the time: a rule counts an event when it happens, not when its request began."""
    since, until = watch.asked.since, watch.asked.until
    for recorded in events:
        moment = recorded.event.stage_timestamp
        if (since is None or moment >= since) and (until is None or moment <= until):
            watch.note(recorded.node, moment)
            yield recorded


def _from_loki(arguments: argparse.Namespace, known: Known, settings: AlertSettings) -> Replay:
    store, _ = loki_store(arguments)
    chosen = _chosen(settings)
    found = {each: _occurrences(store, each, settings.ignore_users.get(each.id, ())) for each in chosen}
    coverage = store.coverage()
    missing = store.silent_nodes(coverage)
    doubts = doubts_of(chosen, known, _written(arguments), coverage, DamageLog().result(), missing)
    return _replay(settings, found, doubts)


def _occurrences(store: LokiStore, detection: Detection, ignored: Sequence[str]) -> list[Occurrence]:
    """What the detection counts, by bodies or by annotations; an event that has both is one."""
    source = detection.source
    assert isinstance(source, Events)  # noqa: S101 - `_chosen` has no other
    fields = ", ".join(dict.fromkeys(("cluster", "node", *source.by, *((source.distinct,) if source.distinct else ()))))
    found = {}
    for form in forms(source, _ALL_KEYS).values():
        # The options name the streams: --loki-selector, --cluster.
        query = store.selector + log_query(form, "", ignored).removeprefix(SELECTOR)
        # What tells two events apart is left of the line: bodies would only be thrown away.
        short = f"{query} | line_format `{{{{.auditID}}}} {{{{.stage}}}}` | keep {fields}"
        for moment, labels, line in store.entries(short):
            found[moment, labels.get("node"), line] = occurrence(source, moment, labels.get)
    return list(found.values())


_ALL_KEYS = written_keys(catalogue())
"""What a log may hold, whatever the policies of today are."""
