"""`detections --replay`: what every detection would have rung over a stretch of the log."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from auditlog.cli.common import UsageError
from auditlog.cli.known import known_cluster
from auditlog.cli.logs import NO_LOG, given_logs, reads_nodes
from auditlog.cli.loki import loki_store
from auditlog.cli.output import FORMATS, Output, fitted, write
from auditlog.cli.terminal import progress_bar
from auditlog.cli.times import resolve_times
from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.logql import log_query
from auditlog.detections.matching import matcher
from auditlog.detections.model import Detection, Events
from auditlog.detections.replay_report import Replay, Replayed, doubts_of, replay_json, replay_text
from auditlog.detections.rings import Occurrence, rings
from auditlog.events.coverage import CoverageWatch, TimeRange
from auditlog.events.event import Sighting
from auditlog.events.judgement import Known
from auditlog.events.layout import shown_in
from auditlog.events.logql import SELECTOR
from auditlog.events.loki.store import LokiStore
from auditlog.events.reading import DamageLog, check_logs, read_with_lines
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


def _chosen(settings: AlertSettings) -> dict[Detection, Events]:
    return {
        each: each.source for each in DETECTIONS if isinstance(each.source, Events) and each.id not in settings.disable
    }


def _replay(settings: AlertSettings, found: dict[Detection, list[Occurrence]], doubts: tuple[str, ...]) -> Replay:
    replayed = tuple(
        Replayed(each, tuple(rings(source, settings.thresholds.get(each.id, each.threshold), found[each])))
        for each, source in _chosen(settings).items()
    )
    return Replay(replayed, tuple(each.id for each in DETECTIONS if each not in found), doubts)


def _from_files(arguments: argparse.Namespace, known: Known, settings: AlertSettings) -> Replay:
    chosen = _chosen(settings)
    matchers = {each: matcher(source, settings.ignore_users.get(each.id, ())) for each, source in chosen.items()}
    found: dict[Detection, list[Occurrence]] = {each: [] for each in chosen}
    damage, watch = DamageLog(), CoverageWatch(TimeRange(arguments.since, arguments.until))
    with given_logs(arguments, arguments.since) as logs:
        with progress_bar(logs.size) as progress:
            for sighting, line in _within(watch, read_with_lines(logs, damage, progress)):
                text = line.decode(errors="replace")
                for each, match in matchers.items():
                    if (fields := match(sighting.event, text)) is not None:
                        found[each].append(_occurrence(chosen[each], sighting.event.stage_timestamp, fields.get))
        coverage = watch.result()
        check_logs(logs, damage, {node.node for node in coverage.nodes} | {part.node for part in coverage.uncovered})
        seen = {node.node for node in coverage.nodes}
        missing = sorted({file.node for file in logs.files} - seen)
    return _replay(settings, found, doubts_of(tuple(chosen), known, coverage, damage.result(), missing))


def _within(watch: CoverageWatch, lines: Iterable[tuple[Sighting, bytes]]) -> Iterator[tuple[Sighting, bytes]]:
    """Events whose stage is in the time: a rule counts an event when it happens, not when its request began."""
    since, until = watch.asked.since, watch.asked.until
    for sighting, line in lines:
        moment = sighting.event.stage_timestamp
        if (since is None or moment >= since) and (until is None or moment <= until):
            watch.note(sighting.node, moment)
            yield sighting, line


def _from_loki(arguments: argparse.Namespace, known: Known, settings: AlertSettings) -> Replay:
    store, _ = loki_store(arguments)
    chosen = _chosen(settings)
    found = {}
    for each, source in chosen.items():
        ignored = settings.ignore_users.get(each.id, ())
        # The options name the streams: --loki-selector, --cluster.
        query = store.selector + log_query(source, "", ignored).removeprefix(SELECTOR)
        found[each] = list(_occurrences(store, source, query))
    coverage = store.coverage()
    missing = store.silent_nodes(coverage)
    return _replay(settings, found, doubts_of(tuple(chosen), known, coverage, DamageLog().result(), missing))


def _occurrences(store: LokiStore, source: Events, query: str) -> Iterator[Occurrence]:
    fields = ", ".join(dict.fromkeys(("cluster", "node", *source.by, *((source.distinct,) if source.distinct else ()))))
    # What tells two events apart is left of the line: bodies would only be thrown away.
    short = f"{query} | line_format `{{{{.auditID}}}} {{{{.stage}}}}` | keep {fields}"
    for moment, labels, _ in store.entries(short):
        yield _occurrence(source, moment, labels.get)


def _occurrence(source: Events, moment: datetime, field: Callable[[str], str | None]) -> Occurrence:
    labels = tuple(field(name) or "" for name in ("cluster", *source.by))
    return Occurrence(moment, labels, (field(source.distinct) or "") if source.distinct else "")
