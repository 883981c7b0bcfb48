"""The findings from what the node and Loki hold: what is missing where, and what the files show of the cause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from auditlog.ledger.alloy import alloy_trouble
from auditlog.ledger.counter import Comparison
from auditlog.ledger.examine import Examined, surplus_counted
from auditlog.ledger.files import Kind as FileKind
from auditlog.ledger.files import LogFile, Reading
from auditlog.ledger.finding import Finding, Kind
from auditlog.ledger.marks import Difference, Mark
from auditlog.ledger.minutes import Minute, runs
from auditlog.ledger.retention import retention_may_have_taken

TOGETHER = timedelta(seconds=60)
"""Missing events that are no further apart than this count as one gap."""

OUT_OF_ORDER = timedelta(seconds=60)
"""The API server writes events nearly in the order of their times, not exactly."""


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of one node besides its events."""

    reading: Reading
    longest_line: int
    """Bytes of the longest line that Loki takes."""
    loki_has_earlier: bool = False
    """Whether Loki has events of this node from before the range."""
    newest_in_loki: datetime | None = None
    """When the newest event in Loki was made, within the range; None without any."""
    alloy: str = ""
    """The namespace of the Alloy that was asked for; "" if none was, or if the node's API server did not answer."""


def judge(examined: Examined, difference: Difference, context: Context) -> Iterator[Finding]:
    """The findings of one node, except those of counter and chain."""
    yield from _of_range(examined, context)
    yield from _missing(examined, difference.missing, context)
    yield from _surplus(examined, difference.surplus, context)
    yield from _twice(examined, difference)
    yield from _of_files(examined.node, context.reading)
    if examined.unread:
        yield from _unread(examined)


def judge_count(node: str, comparison: Comparison | str) -> Iterator[Finding]:
    """The findings from the API server's counter. A text as ``comparison`` says why it was not compared."""
    if isinstance(comparison, str):
        yield Finding(node, Kind.COUNTER_NOT_COMPARED, f"against the API server's counter: not known, {comparison}")
    elif comparison.lost:
        yield Finding(
            node,
            Kind.FEWER_THAN_COUNTED,
            f"the API server counted {comparison.counted} events since the last reading, and the files hold no more "
            f"than {comparison.most} of that time: no side holds the others, so only their number can be named",
            comparison.lost,
        )
    elif comparison.added:
        yield Finding(
            node,
            Kind.MORE_THAN_COUNTED,
            f"the files hold at least {comparison.least} events since the last reading, and the API server counted "
            f"{comparison.counted}: somebody else wrote to them, or another API server that audits to the same log",
            comparison.added,
        )


def _of_range(examined: Examined, context: Context) -> Iterator[Finding]:
    node, reading = examined.node, context.reading
    if not len(examined.compared) and not examined.before_files and not examined.before_loki:
        yield Finding(
            node,
            Kind.NOTHING_COMPARED,
            "no minute of the range has settled; ask again in a few minutes, or for an earlier range",
        )
    if examined.under_way:
        yield Finding(
            node,
            Kind.UNDER_WAY,
            f"after {_time(examined.under_way.since)} events may still be under way: not compared",
            sum(count for minute, count in examined.files.items() if minute in examined.under_way),
            _moment(examined.under_way.since),
            _moment(examined.under_way.until),
        )
    if examined.before_files:
        yield _before_files(examined, reading)
    if examined.before_loki:
        yield _before_loki(examined, context)


def _before_files(examined: Examined, reading: Reading) -> Finding:
    """What the range has from before the oldest event of the files."""
    node = examined.node
    in_loki = sum(count for minute, count in examined.loki.items() if minute in examined.before_files)
    begin = (
        f"the files of {node} begin at {_stamp(reading.oldest)}"
        if reading.oldest
        else f"{node} has no event in any file"
    )
    span = (_moment(examined.before_files.since), _moment(examined.before_files.until))
    if in_loki and retention_may_have_taken(reading) is False:
        return Finding(
            node,
            Kind.LOG_EMPTIED,
            f"{begin}, and Loki has events from before which the API server's limits did not take: the log was "
            "emptied, or files are gone",
            in_loki,
            *span,
        )
    return Finding(
        node,
        Kind.FILES_BEGIN_LATER,
        f"{begin}: what was before, retention took or nobody wrote; Loki has {in_loki} events of that time, and "
        "nothing tells whether these are all. A larger auditLog.maxBackup or maxAge keeps files for longer; the "
        "chain says what earlier runs have seen",
        in_loki,
        *span,
    )


def _before_loki(examined: Examined, context: Context) -> Finding:
    """What the range has from before the oldest event in Loki."""
    node = examined.node
    held = sum(count for minute, count in examined.files.items() if minute in examined.before_loki)
    span = (_moment(examined.before_loki.since), _moment(examined.before_loki.until))
    if not examined.loki and context.loki_has_earlier:
        return _not_shipped(examined, held, span[0], span[1], (), context)
    if context.loki_has_earlier:
        return Finding(node, Kind.MISSING_IN_LOKI, f"the files hold {held} events that Loki does not have", held, *span)
    return Finding(
        node,
        Kind.LOKI_BEGINS_LATER,
        f"Loki has nothing of {node} before {_time(examined.before_loki.until)}, and the files have {held} events: "
        "shipping began then, Loki's retention took them, or they were lost. Ask from then on for a certain answer",
        held,
        *span,
    )


def _missing(examined: Examined, missing: Sequence[Mark], context: Context) -> Iterator[Finding]:
    node = examined.node
    too_long = tuple(mark for mark in missing if mark.bytes > context.longest_line)
    if too_long:
        yield Finding(
            node,
            Kind.LINE_TOO_LONG,
            f"Loki refuses lines of more than {context.longest_line} bytes; auditLog.truncate cuts such events in the "
            "API server",
            len(too_long),
            too_long[0].moment,
            too_long[-1].moment,
            too_long,
        )
    newest = context.newest_in_loki
    for group in _groups(mark for mark in missing if mark.bytes <= context.longest_line):
        if newest is not None and group[0].moment > newest:
            yield _not_shipped(examined, len(group), group[0].moment, group[-1].moment, group, context)
        else:
            yield Finding(
                node,
                Kind.MISSING_IN_LOKI,
                "the files hold events that Loki does not have",
                len(group),
                group[0].moment,
                group[-1].moment,
                group,
            )


def _not_shipped(
    examined: Examined,
    count: int,
    since: datetime,
    until: datetime,
    events: tuple[Mark, ...],
    context: Context,
) -> Finding:
    state = context.reading.alloy
    if context.alloy:
        why = alloy_trouble(state, examined.node, context.alloy)
    elif state.complaint:
        why = f"Alloy's last complaint: {state.complaint}"
    else:
        why = "Alloy does not run or cannot send, or Loki refuses what it sends"
    return Finding(
        examined.node,
        Kind.NOT_SHIPPED,
        f"nothing has reached Loki since {_stamp(since)}: {why}. The files still hold the events; Alloy sends them "
        "once it can",
        count,
        since,
        until,
        events,
    )


def _surplus(examined: Examined, surplus: Sequence[Mark], context: Context) -> Iterator[Finding]:
    files = [file for file in context.reading.own_files if file.events.earliest and file.events.latest]
    by_cause: dict[tuple[Kind, str], list[Mark]] = {}
    for group in _groups(surplus):
        by_cause.setdefault(_cause(group, files), []).extend(group)
    for (kind, sentence), marks in by_cause.items():
        yield Finding(examined.node, kind, sentence, len(marks), marks[0].moment, marks[-1].moment, tuple(marks))


def _cause(group: Sequence[Mark], files: Sequence[LogFile]) -> tuple[Kind, str]:
    """Why no file holds these events of Loki's, as far as the files show."""
    first, last = group[0].moment, group[-1].moment
    held = "Loki holds events that are in no file"
    around = [file for file in files if _earliest(file) <= last and _latest(file) >= first]
    if around:
        return Kind.LINES_TAKEN_OUT, f"{held}: lines were taken out of {_names(around)}, or changed in it"
    before = [file for file in files if _latest(file) < first]
    after = [file for file in files if _earliest(file) > last]
    ends = before[-1] if before else None
    if ends and ends.rotated_at and ends.rotated_at >= last:
        return Kind.FILE_CUT, (
            f"{held}: {ends.name} ends at {_stamp(ends.events.latest)} and was rotated at {_stamp(ends.rotated_at)}, "
            "so its end was cut off"
        )
    if not after:
        return Kind.LOG_EMPTIED, f"{held}: the log ends at {_stamp(ends.events.latest) if ends else 'its beginning'}"
    begins = after[0]
    if begins.kind is FileKind.LIVE or ends is None:
        return Kind.LOG_EMPTIED, (
            f"{held}: {begins.name} begins at {_stamp(begins.events.earliest)}: it was emptied or cut at its "
            "beginning, or a file that was rotated before is gone"
        )
    return Kind.ROTATION_GAP, f"{held}: a rotated file between {ends.name} and {begins.name} is gone"


def _twice(examined: Examined, difference: Difference) -> Iterator[Finding]:
    yield from judge_lines(examined.node, difference)
    named = {mark.minute for marks in (difference.missing, difference.surplus) for mark in marks}
    equal = tuple(minute for minute in examined.read if minute not in named)
    if again := surplus_counted(examined, equal):
        yield Finding(
            examined.node,
            Kind.COUNTED_TWICE,
            "metric queries count lines that were sent again after a restart; log queries show them once",
            again,
        )


def judge_lines(node: str, difference: Difference) -> Iterator[Finding]:
    """The findings about events that both sides hold."""
    if difference.altered:
        marks = tuple(pair[0] for pair in difference.altered)
        yield _about(
            node, Kind.ALTERED, "lines have another length in the files than in Loki: one of the two was changed", marks
        )
    if difference.doubled_in_loki:
        yield _about(
            node,
            Kind.DOUBLED_IN_LOKI,
            "Loki shows events more than once, with different lines",
            difference.doubled_in_loki,
        )
    if difference.doubled_in_files:
        yield _about(
            node,
            Kind.DOUBLED_IN_FILES,
            "the files hold events more than once, which the API server does not do: somebody copied lines or a file",
            difference.doubled_in_files,
        )


def _of_files(node: str, reading: Reading) -> Iterator[Finding]:
    if reading.detached:
        held = sum(file.events.count for file in reading.files if file.kind is FileKind.DETACHED)
        yield Finding(
            node,
            Kind.DETACHED_FILE,
            f"the API server writes to {reading.detached} and not to the log: the file was deleted or replaced while "
            "it was open (kubernetes #111208). What it writes is lost with its next start; restart it now, and copy "
            "the file from /proc before",
            held,
        )
    for path in reading.unreadable:
        yield Finding(node, Kind.FILE_UNREADABLE, f"{path} cannot be read")
    for file in reading.files:
        if file.damaged:
            yield Finding(node, Kind.DAMAGED_FILE, f"{file.path} cannot be uncompressed to its end")
        if file.events.others:
            yield Finding(
                node,
                Kind.NO_EVENT_LINES,
                f"{file.path} has lines that are no events: cut off, run together or written by somebody else",
                file.events.others,
            )
    if truncated := sum(file.events.truncated for file in reading.files):
        yield Finding(node, Kind.BODIES_TRUNCATED, "the API server cut bodies off (audit.k8s.io/truncated)", truncated)
    yield from _order(node, [file for file in reading.own_files if file.kind in (FileKind.ROTATED, FileKind.LIVE)])


def _order(node: str, files: Sequence[LogFile]) -> Iterator[Finding]:
    for file in files:
        if file.events.first and file.events.last and file.events.last < file.events.first - OUT_OF_ORDER:
            yield Finding(node, Kind.OUT_OF_ORDER, f"{file.name} begins later than it ends: its lines were reordered")
    known = [file for file in files if file.events.earliest and file.events.latest and not file.skipped]
    for one, other in pairwise(known):
        if _earliest(other) < _latest(one) - OUT_OF_ORDER:
            yield Finding(
                node,
                Kind.OUT_OF_ORDER,
                f"{other.name} begins before {one.name} ends: files were exchanged, copied or renamed",
            )


def _unread(examined: Examined) -> Iterator[Finding]:
    for span in runs(examined.unread):
        files = sum(examined.files.get(minute, 0) for minute in span)
        loki = sum(examined.loki.get(minute, 0) for minute in span)
        yield Finding(
            examined.node,
            Kind.TOO_MANY_DIFFERENCES,
            f"the files hold {files} events and Loki {loki}; too many differ for naming them, a shorter range names "
            "them",
            abs(files - loki),
            _moment(span.since),
            _moment(span.until),
        )


def _groups(marks: Iterable[Mark]) -> Iterator[tuple[Mark, ...]]:
    group: list[Mark] = []
    for mark in marks:
        if group and mark.moment - group[-1].moment > TOGETHER:
            yield tuple(group)
            group = []
        group.append(mark)
    if group:
        yield tuple(group)


def _about(node: str, kind: Kind, sentence: str, marks: tuple[Mark, ...]) -> Finding:
    return Finding(node, kind, sentence, len(marks), marks[0].moment, marks[-1].moment, marks)


def _earliest(file: LogFile) -> datetime:
    return file.events.earliest or datetime.max.replace(tzinfo=UTC)


def _latest(file: LogFile) -> datetime:
    return file.events.latest or datetime.min.replace(tzinfo=UTC)


def _names(files: Iterable[LogFile]) -> str:
    return " and ".join(file.name for file in files)


def _moment(minute: Minute) -> datetime:
    return datetime.fromtimestamp(minute, UTC)


def _time(minute: Minute) -> str:
    return f"{_moment(minute):%Y-%m-%d %H:%M}"


def _stamp(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "-"
