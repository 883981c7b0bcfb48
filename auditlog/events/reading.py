"""Reading logs in constant memory, with every line that is not an event counted and named.

A log may be cut off anywhere:

- in its last line, while the API server writes it
- in the middle of a compressed file
- in the middle of a line, after a crash

None of that stops the reading.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO, TypeVar

import msgspec

from auditlog.events.event import Event, Recorded, Sighting
from auditlog.events.sources import STDIN, LogSet, SourceError, open_log

BLOCK = 256 * 1024
"""Bytes read at a time; small enough to stay in the processor's cache."""

LONGEST_LINE = 64 * 1024 * 1024
"""A longer line is skipped. RequestResponse writes a list's whole response, so lines of megabytes are normal."""

NAMED_LINES = 20
"""How many unreadable lines are named; all of them are counted."""

NEWLINE = 0x0A

TOO_LONG = "longer than any audit event"

Found = TypeVar("Found", bound=Sighting)
Progress = Callable[[int], object]
"""Called with how many more bytes of the files on disk have been read."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A place that holds no event: `file:line`, or a file from some line on."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Damage:
    """What could not be read: how many places, and the first of them."""

    count: int = 0
    examples: tuple[Unreadable, ...] = ()


@dataclass(slots=True)
class Unread:
    """What could not be read of a file, or of a part of it. Line numbers count from 1 where the reading began."""

    lines: int = 0
    """How many lines were passed, readable or not."""
    count: int = 0
    """How many of them are no events."""
    named: list[tuple[int, str]] = field(default_factory=list)
    """The first of them: number and reason."""
    stopped: str = ""
    """Why the reading ended before the file did; "" if it did not."""

    def note(self, reason: str) -> None:
        """Counts the current line as unreadable."""
        self.count += 1
        if len(self.named) < NAMED_LINES:
            self.named.append((self.lines, reason))

    def stop(self, problem: Exception) -> None:
        """Notes the error that ended the reading."""
        self.stopped = f"the rest of the file cannot be read: {describe(problem)}"

    def merge(self, later: Unread) -> None:
        """Adds a later part of the same file. Its line numbers continue after this part's."""
        room = NAMED_LINES - len(self.named)
        self.named += [(self.lines + line, reason) for line, reason in later.named[: max(room, 0)]]
        self.count += later.count
        self.stopped = self.stopped or later.stopped
        self.lines += later.lines


@dataclass(slots=True)
class DamageLog:
    """Collects the unreadable places of logs. `first_of_file` is the first reason for each file."""

    count: int = 0
    examples: list[Unreadable] = field(default_factory=list)
    first_of_file: dict[str, str] = field(default_factory=dict)

    def add(self, place: str, reason: str) -> None:
        """Counts one unreadable place."""
        self.count += 1
        if len(self.examples) < NAMED_LINES:
            self.examples.append(Unreadable(place, reason))

    def add_file(self, path: str, unread: Unread) -> None:
        """Counts what could not be read of a file."""
        reasons = [reason for _, reason in unread.named] + ([unread.stopped] if unread.stopped else [])
        for reason in reasons[:1]:
            self.first_of_file.setdefault(path, reason)
        for line, reason in unread.named:
            self.add(f"{path}:{line}", reason)
        self.count += unread.count - len(unread.named)
        if unread.stopped:
            self.add(path, unread.stopped)

    def result(self) -> Damage:
        """What was collected so far."""
        return Damage(self.count, tuple(self.examples))


def blocks(stream: BinaryIO, length: int | None = None) -> Iterator[tuple[bytearray, int]]:
    """Whole lines, many at a time: a buffer, and how much of it is filled with them.

    The buffer is reused: it is valid until the next step. Only the last block of a stream can end without a newline.
    A line beyond `LONGEST_LINE` yields an empty block. With `length`, only lines that start in the next `length` bytes
    are given, the last of them whole.
    """
    buffer = bytearray(BLOCK)
    filled = 0
    left = sys.maxsize if length is None else length
    while left > 0:
        with memoryview(buffer) as view, view[filled : filled + min(left, len(buffer) - filled)] as free:
            # readinto is missing from the protocol typing.BinaryIO describes, not from any real stream.
            got: int = stream.readinto(free)  # type: ignore[attr-defined]
        if not got:
            break
        left -= got
        filled += got
        whole = buffer.rfind(b"\n", 0, filled) + 1
        if whole:
            yield buffer, whole
            buffer[: filled - whole] = buffer[whole:filled]
            filled -= whole
        elif filled == len(buffer):
            if filled >= LONGEST_LINE:
                left -= _skip_line(stream)
                filled = 0
                yield buffer, 0
            else:
                buffer = buffer + bytearray(len(buffer))
    if filled:
        rest = bytearray(buffer[:filled])
        if length is not None:
            rest += stream.readline(LONGEST_LINE)
        yield rest, len(rest)


def seek_to_line(stream: BinaryIO, start: int, length: int | None) -> int | None:
    """Moves to the first line that starts at `start` or later. Returns how many of the `length` bytes are left."""
    if start == 0:
        return length
    stream.seek(start - 1)
    stream.readline()
    return None if length is None else start + length - stream.tell()


def _skip_line(stream: BinaryIO) -> int:
    skipped = 0
    while piece := stream.readline(BLOCK):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped


def reason_of(line: bytes, problem: Exception, *, ended: bool) -> str:
    """Why a line is not an event, in words. `line` is without its newline; `ended` says whether it had one."""
    if isinstance(problem, msgspec.ValidationError):
        return f"not an audit event: {problem}"
    if not ended:
        return "cut off: the last line is incomplete"
    return "not JSON" if line[:1] != b"{" else f"broken JSON: {problem}"


def lines_of(buffer: bytearray, end: int) -> list[bytes]:
    """The lines in the filled part of a block, without their newlines."""
    with memoryview(buffer) as view:
        lines = bytes(view[:end]).split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines


def read(
    logs: LogSet,
    damage: DamageLog,
    progress: Progress = lambda _: None,
    stdin: BinaryIO | None = None,
    event_type: type[Event] = Event,
) -> Iterator[Sighting]:
    """Every event of the logs, node by node and each node's oldest file first, decoded to `event_type`.

    What cannot be read of a file is added to `damage` at the file's end; nothing about the content is fatal.
    """
    return _read(logs, damage, progress, stdin, event_type, lambda node, event, _: Sighting(node, event))


def read_lines(
    logs: LogSet,
    damage: DamageLog,
    progress: Progress = lambda _: None,
    event_type: type[Event] = Event,
) -> Iterator[Recorded]:
    """Like `read`, each event with its line, without the newline."""
    return _read(logs, damage, progress, None, event_type, Recorded)


def _read(
    logs: LogSet,
    damage: DamageLog,
    progress: Progress,
    stdin: BinaryIO | None,
    event_type: type[Event],
    made: Callable[[str, Event, bytes], Found],
) -> Iterator[Found]:
    for file in logs.files:
        unread = Unread()
        try:
            if file.path == STDIN:
                yield from events_in(file.node, stdin or sys.stdin.buffer, unread, event_type, made)
            else:
                stream, raw = open_log(file)
                with raw, stream:
                    passed = reporter(raw, progress)
                    yield from events_in(file.node, stream, unread, event_type, made, passed=passed)
        except UNREADABLE as problem:
            unread.stop(problem)
        damage.add_file(file.path, unread)


def read_containing(logs: LogSet, texts: Sequence[str], event_type: type[Event] = Event) -> Iterator[Sighting]:
    """Every event whose line may hold one of the texts. The texts have no character that JSON escapes.

    Other lines, broken ones among them, are skipped without a parse. A line with an escaped ASCII character is always
    parsed, because the character may belong to a text. Raises SourceError for standard input, which can be read only
    once.
    """
    if any(file.path == STDIN for file in logs.files):
        raise SourceError("standard input (-) can be read only once, and this question reads a log twice; name a file")
    return _holding(logs, (*(text.encode() for text in texts), _ESCAPED_ASCII), event_type)


def _holding(logs: LogSet, wanted: Sequence[bytes], event_type: type[Event]) -> Iterator[Sighting]:
    decode = msgspec.json.Decoder(event_type).decode
    for file in logs.files:
        try:
            stream, raw = open_log(file)
            with raw, stream:
                for buffer, end in blocks(stream):
                    for line in lines_with(buffer, end, wanted):
                        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                            yield Sighting(file.node, decode(line))
        except UNREADABLE:
            # The pass over the whole log says so.
            continue


_ESCAPED_ASCII = b"\\u00"


def lines_with(buffer: bytearray, end: int, texts: Sequence[bytes]) -> Iterator[bytes]:
    """The lines in the filled part of a block that hold one of the texts, in order."""
    starts: dict[int, int] = {}
    for text in texts:
        at = buffer.find(text, 0, end)
        while at >= 0:
            stop = buffer.find(b"\n", at, end)
            stop = end if stop < 0 else stop
            starts[buffer.rfind(b"\n", 0, at) + 1] = stop
            at = buffer.find(text, stop, end)
    for start in sorted(starts):
        yield bytes(buffer[start : starts[start]])


def check_logs(logs: LogSet, damage: DamageLog, nodes: Container[str]) -> None:
    """Raises SourceError for a node's log that is not empty and has no event.

    `nodes` are the nodes whose logs have events.
    """
    for file in logs.files:
        reason = damage.first_of_file.get(file.path)
        if file.node not in nodes and reason is not None:
            raise no_audit_log(file.path, reason)


def no_audit_log(path: str, reason: str) -> SourceError:
    """The error for a file that is not empty and has no event."""
    name = "standard input" if path == STDIN else path
    return SourceError(
        f"{name}: no audit log: it holds no event ({reason}); allowed: audit.k8s.io/v1 events, one a line"
    )


UNREADABLE = (OSError, EOFError, zlib.error)
"""What reading and decompressing a damaged or vanished file raises."""


def describe(problem: Exception) -> str:
    """An I/O or decompression error, without the file's name."""
    return (problem.strerror if isinstance(problem, OSError) else None) or str(problem)


def reporter(raw: BinaryIO, progress: Progress) -> Callable[[], None]:
    """Tells `progress` at each call how far the position in a file has moved since the last one. A pipe has none."""
    if not raw.seekable():
        return lambda: None
    reported = raw.tell()

    def report() -> None:
        nonlocal reported
        now = raw.tell()
        progress(now - reported)
        reported = now

    return report


def events_in(
    node: str,
    stream: BinaryIO,
    unread: Unread,
    event_type: type[Event],
    made: Callable[[str, Event, bytes], Found],
    length: int | None = None,
    passed: Callable[[], object] = lambda: None,
) -> Iterator[Found]:
    """What `made` makes of every event of a stream: of all, or of the lines that start in the next `length` bytes.

    Lines that are no event are added to `unread`. `passed` is called after every block. Raises UNREADABLE.
    """
    decode = msgspec.json.Decoder(event_type).decode
    for buffer, end in blocks(stream, length):
        if end == 0:
            unread.lines += 1
            unread.note(TOO_LONG)
        number = unread.lines
        for line in lines_of(buffer, end):
            number += 1
            try:
                event = decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
                if line.strip():
                    ended = buffer[end - 1] == NEWLINE or not buffer.endswith(line, 0, end)
                    unread.lines = number
                    unread.note(reason_of(line, problem, ended=ended))
                continue
            yield made(node, event, line)
        unread.lines = number
        passed()
