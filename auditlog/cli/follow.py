"""`--follow`: what happens from now on, of a log file that is written to or of Loki, until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from auditlog.cli.asking import Find
from auditlog.cli.common import STDIN, UsageError
from auditlog.cli.loki import loki_store
from auditlog.cli.output import CSV, JSON, YAML
from auditlog.cli.times import resolve_times
from auditlog.events.event import FullEvent, Sighting
from auditlog.events.layout import safe, shown_in, when
from auditlog.events.loki import filters
from auditlog.events.questions.common import one_per_request
from auditlog.events.reading import DamageLog, read, read_containing
from auditlog.events.sources import LogFile, LogSet, active_name, find_logs
from auditlog.events.story.change import Bodies
from auditlog.events.story.entry import entry, sentence
from auditlog.events.story.timeline import Story, TimelineQuery

POLL_SECONDS = 1.0
LATE = timedelta(seconds=30)
"""So much later than its time an event may arrive in Loki."""


def follow(
    query_of: Callable[[argparse.Namespace], TimelineQuery],
    resolve: Callable[[argparse.Namespace, Find], None],
    arguments: argparse.Namespace,
) -> int:
    """Prints what the log holds of the subject, then what comes; Ctrl-C ends it.

    Raises UsageError for what cannot be followed.
    """
    resolve_times(arguments)
    if arguments.output in (CSV, YAML):
        raise UsageError(f"--follow with -o {arguments.output}; allowed: table, wide, json (one object a line)")
    if arguments.until:
        raise UsageError("--follow and --until are both given; allowed: one of the two")
    with shown_in(arguments.time_zone):
        sightings = _of_loki(resolve, arguments) if arguments.loki else _of_file(resolve, arguments)
        query = query_of(arguments)
        story, bodies = Story(query), Bodies()
        relevant = (each for each in sightings if query.time.overlaps(*_span(each)) and story.tells(each.event))
        # An open request is told when it ends: one_per_request gives those only that did.
        for sighting in one_per_request(each for each in relevant if each.event.stage != "RequestReceived"):
            told = entry(sighting, bodies.change(sighting.event), story.relation(sighting.event))
            told = replace(told, sentence=sentence(told))
            if arguments.output == JSON:
                print(msgspec.json.encode(told).decode(), flush=True)
            else:
                print(f"{when(told.time)}  {safe(told.sentence)}.", flush=True)
    return 0


def _span(sighting: Sighting) -> tuple[datetime, datetime]:
    return sighting.event.request_received_timestamp, sighting.event.stage_timestamp


def _of_file(resolve: Callable[[argparse.Namespace, Find], None], arguments: argparse.Namespace) -> Iterator[Sighting]:
    found = find_logs(arguments.logs) if arguments.logs else None
    live = [file for file in found.files if not file.compressed and _is_live(file)] if found else []
    if found is None or len(live) != 1 or STDIN in arguments.logs:
        raise UsageError("--follow needs one log file that is being written to, or --loki URL")
    resolve(arguments, lambda texts: read_containing(found, texts, FullEvent))
    earlier = replace(found, files=tuple(file for file in found.files if file is not live[0]))
    return _followed(earlier.files, live[0])


def _is_live(file: LogFile) -> bool:
    return active_name(Path(file.path).name) == Path(file.path).name


def _followed(earlier: tuple[LogFile, ...], live: LogFile) -> Iterator[Sighting]:
    yield from read(LogSet(earlier), DamageLog(), event_type=FullEvent)
    decode = msgspec.json.Decoder(FullEvent).decode
    for line in tail(Path(live.path)):
        try:
            yield Sighting(live.node, decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
            print(f"auditlog: {live.path}: a line is no event: {safe(str(problem))}", file=sys.stderr)


def tail(path: Path, pause: Callable[[], object] = lambda: time.sleep(POLL_SECONDS)) -> Iterator[bytes]:
    """Every whole line of a file, and those that are added, also after it is rotated away by a rename.

    The API server renames the log and writes a new one. What is still added to the old one is read before the new one.
    """
    while True:
        with path.open("rb") as stream:
            identity = os.fstat(stream.fileno()).st_ino
            rest, is_old = b"", False
            while True:
                piece = stream.read(1 << 20)
                if piece:
                    *lines, rest = (rest + piece).split(b"\n")
                    yield from filter(bytes.strip, lines)
                elif is_old:
                    break
                else:
                    # Once more after it is known to be old: until then its writer may have added to it.
                    is_old = _replaced(path, identity)
                    if not is_old:
                        pause()


def _replaced(path: Path, identity: int) -> bool:
    try:
        return path.stat().st_ino != identity
    except FileNotFoundError:
        return False


def _of_loki(resolve: Callable[[argparse.Namespace, Find], None], arguments: argparse.Namespace) -> Iterator[Sighting]:
    if not arguments.since:
        arguments.since = datetime.now(UTC)
    store, _ = loki_store(arguments)
    resolve(arguments, lambda texts: store.read(filters.any_of(texts), DamageLog(), event_type=FullEvent))
    line_filter = filters.timeline_filter(arguments.subject)

    def polled() -> Iterator[Sighting]:
        since, given = store.since, set[tuple[str, str, str]]()
        while True:
            until = datetime.now(UTC)
            page = replace(store, since=since, until=until)
            latest = set[tuple[str, str, str]]()
            for sighting in page.read(line_filter, DamageLog(), event_type=FullEvent):
                key = (sighting.node, sighting.event.audit_id, str(sighting.event.stage))
                latest.add(key)
                if key not in given:
                    yield sighting
            given = latest
            # Again, because events arrive late and out of order.
            since = max(store.since, until - LATE)
            time.sleep(2 * POLL_SECONDS)

    return polled()
