"""The chain: what each run saw of the files, each record with the digest of the one before.

A rotated file no longer changes. The next run finds one that was edited, cut, renamed, added, or gone before its
retention. It also finds a change in what the log held when it was last seen. The chain itself is text: anyone with
write access can write all of it again. So keep it where the owners of the nodes cannot write. Or keep the digest of its
last record (``head``) elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from auditlog.ledger.counter import Count
from auditlog.ledger.files import Kind as FileKind
from auditlog.ledger.files import LogFile, Reading
from auditlog.ledger.finding import Finding, Kind
from auditlog.ledger.retention import retention_may_have_taken
from auditlog.units import DAY

FORMAT = 1

SLACK = timedelta(minutes=1)
"""How far the clocks of a node and of the machine that runs the ledger may differ."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """A rotated file as a run saw it. ``name`` is without ``.gz``, ``digest`` the SHA-256 without compression."""

    name: str
    digest: str
    bytes: int
    events: int
    rotated_at: str


@dataclass(frozen=True, slots=True)
class Live:
    """The log as a run saw it: its first ``bytes`` and their digest, and the bytes by which it is recognized."""

    bytes: int
    digest: str
    head_bytes: int
    head: str


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """One node in one run."""

    files: tuple[Rotated, ...] = ()
    live: Live | None = None
    count: Count | None = None
    oldest: str = ""
    """When the earliest event in any file was made."""


@dataclass(frozen=True, slots=True)
class Record:
    """One run: when it was, the digest of the record before ("" for the first), and what it saw."""

    at: str
    previous: str
    nodes: Mapping[str, NodeRecord] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The record as a line of the file, without a line break."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Chain:
    """All records, oldest first. ``head`` is the digest of the last line, "" for an empty chain.

    ``broken`` has the numbers of lines, from 1, that do not follow from the line before or are no records.
    """

    records: tuple[Record, ...] = ()
    head: str = ""
    broken: tuple[int, ...] = ()
    digests: tuple[str, ...] = ()

    def last_of(self, node: str) -> tuple[Record, NodeRecord] | None:
        """The last run that read a node."""
        for record in reversed(self.records):
            if node in record.nodes:
                return record, record.nodes[node]
        return None

    def since(self, node: str) -> str:
        """When a run first read a node; "" if none did."""
        return next((record.at for record in self.records if node in record.nodes), "")

    def runs(self, node: str) -> int:
        """How many runs read a node."""
        return sum(node in record.nodes for record in self.records)


def read_chain(text: str) -> Chain:
    """The chain in a file's text. Errors in it are part of the result."""
    records: list[Record] = []
    digests: list[str] = []
    broken: list[int] = []
    previous = ""
    for number, line in enumerate(text.splitlines(), 1):
        try:
            record = _record(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError):
            broken.append(number)
        else:
            if record.previous != previous:
                broken.append(number)
            records.append(record)
        previous = digest_of(line)
        digests.append(previous)
    return Chain(tuple(records), previous, tuple(broken), tuple(digests))


def digest_of(line: str) -> str:
    """The SHA-256 of a record's line."""
    return hashlib.sha256(line.encode()).hexdigest()


def next_record(chain: Chain, at: datetime, readings: Mapping[str, Reading]) -> Record:
    """What this run adds to the chain."""
    nodes = {name: _seen(reading) for name, reading in sorted(readings.items())}
    return Record(at.strftime("%Y-%m-%dT%H:%M:%SZ"), chain.head, nodes)


def known(record: NodeRecord | None) -> str:
    """What the node is asked about the former log: BYTES:LENGTH:SHA256; "" for nothing."""
    live = record.live if record else None
    return f"{live.bytes}:{live.head_bytes}:{live.head}" if live else ""


def judge_chain(chain: Chain, expected_head: str) -> Iterator[Finding]:
    """What is wrong with the chain itself. ``expected_head`` is what an earlier run printed, "" if unknown."""
    for number in chain.broken:
        yield Finding(
            "",
            Kind.CHAIN_BROKEN,
            f"record {number} of the chain does not follow from the one before: the chain was edited",
        )
    if expected_head and expected_head not in chain.digests:
        yield Finding(
            "",
            Kind.CHAIN_EDITED,
            f"the chain has no record {expected_head}: it was cut, written anew, or is another one",
        )


def judge_files(node: str, chain: Chain, reading: Reading) -> Iterator[Finding]:
    """What has changed on a node since the last run that read it."""
    found = chain.last_of(node)
    if found is None:
        return
    record, before = found
    now = {file.name: file for file in reading.files if file.kind in (FileKind.ROTATED, FileKind.CANARY_ROTATED)}
    by_digest = {file.digest: file for file in now.values() if file.digest}
    gone: list[Rotated] = []
    for known_file in before.files:
        here = now.get(known_file.name)
        if here is not None and here.digest == known_file.digest:
            continue
        moved = by_digest.get(known_file.digest)
        if moved is not None:
            yield Finding(
                node,
                Kind.FILE_RENAMED,
                f"{known_file.name} of {record.at} is now called {moved.name}",
                known_file.events,
            )
        elif here is not None:
            yield _edited(node, record, known_file, here)
        else:
            gone.append(known_file)
    yield from _gone(node, record, before, gone, now, reading)
    yield from _added(node, record, before, now, reading)
    if before.live is not None:
        yield from _live(node, record, before.live, reading)


def _edited(node: str, record: Record, before: Rotated, here: LogFile) -> Finding:
    fewer = before.events - here.events.count
    what = (
        f"was cut: it had {before.bytes} bytes and has {here.events.size}"
        if here.events.size < before.bytes
        else f"was edited: it had {before.events} events in {before.bytes} bytes and has {here.events.count} in "
        f"{here.events.size}"
    )
    return Finding(node, Kind.FILE_EDITED, f"{before.name} {what} since {record.at}", max(0, fewer))


def _gone(
    node: str,
    record: Record,
    before: NodeRecord,
    gone: Sequence[Rotated],
    now: Mapping[str, LogFile],
    reading: Reading,
) -> Iterator[Finding]:
    oldest_kept = min((each.rotated_at for each in before.files if each.name in now), default="")
    for file in gone:
        if oldest_kept and file.rotated_at and file.rotated_at > oldest_kept:
            yield Finding(
                node,
                Kind.FILE_GONE,
                f"{file.name} of {record.at} is gone, and older files are there: a gap in the rotation",
                file.events,
            )
            continue
        taken = _retention_took(file, now, reading)
        kind = {True: Kind.RETENTION, False: Kind.FILE_GONE, None: Kind.FILE_GONE_PERHAPS}[taken]
        why = {
            True: "the API server's limits allow that",
            False: "and the API server's limits do not take it yet",
            None: "and the API server's limits are not known",
        }[taken]
        yield Finding(node, kind, f"{file.name} of {record.at} is gone, {why}", file.events)


def _retention_took(file: Rotated, now: Mapping[str, LogFile], reading: Reading) -> bool | None:
    limits = reading.limits
    if limits.max_age is None and limits.max_backup is None:
        return None
    age = reading.clock - datetime.fromisoformat(file.rotated_at).timestamp() if file.rotated_at else 0.0
    own = [each for each in now.values() if each.kind is FileKind.ROTATED]
    # A canary's files are no part of what the real API server counts; they go with the canary.
    is_canary = "-canary-" in file.name
    too_many = bool(limits.max_backup) and (len(own) >= (limits.max_backup or 0) or is_canary)
    return too_many or (bool(limits.max_age) and age >= (limits.max_age or 0) * DAY) or is_canary


def _added(
    node: str, record: Record, before: NodeRecord, now: Mapping[str, LogFile], reading: Reading
) -> Iterator[Finding]:
    names, digests = {each.name for each in before.files}, {each.digest for each in before.files}
    last_run = datetime.fromisoformat(record.at)
    former = {file.name for file in reading.files if file.prefix}
    for name, file in sorted(now.items()):
        rotated_at = file.rotated_at
        if name in names or file.digest in digests or name in former or rotated_at is None:
            continue
        if rotated_at < last_run - SLACK:
            yield Finding(
                node,
                Kind.FILE_ADDED,
                f"{name} was not there at {record.at}, and is called as if it had been rotated before",
                file.events.count,
            )


def _live(node: str, record: Record, live: Live, reading: Reading) -> Iterator[Finding]:
    same = [file for file in reading.files if file.prefix]
    if any(file.prefix == live.digest for file in same):
        return
    if same:
        yield Finding(
            node,
            Kind.FILE_EDITED,
            f"the first {live.bytes} bytes of {same[0].name}, which was the log at {record.at}, were edited or cut "
            "since",
        )
        return
    if reading.oldest and reading.oldest > datetime.fromisoformat(record.at):
        taken = retention_may_have_taken(reading)
        if taken is not False:
            kind = Kind.RETENTION if taken else Kind.FILE_GONE_PERHAPS
            limits = "allow that" if taken else "are not known"
            yield Finding(node, kind, f"no file of {record.at} is left; the API server's limits {limits}")
            return
    yield Finding(
        node,
        Kind.FILE_GONE,
        f"no file begins as the log did at {record.at}: it was emptied, edited at its beginning, or is gone",
    )


def _seen(reading: Reading) -> NodeRecord:
    rotated = sorted(
        (file for file in reading.files if file.kind in (FileKind.ROTATED, FileKind.CANARY_ROTATED) and file.digest),
        key=lambda file: file.name,
    )
    live = next((file for file in reading.files if file.kind is FileKind.LIVE and file.disk_bytes), None)
    return NodeRecord(
        tuple(_rotated(file) for file in rotated),
        Live(live.disk_bytes, live.digest, *live.head) if live else None,
        reading.count,
        reading.oldest.isoformat() if reading.oldest else "",
    )


def _rotated(file: LogFile) -> Rotated:
    at = file.rotated_at or datetime.fromtimestamp(file.written, UTC)
    return Rotated(file.name, file.digest, file.events.size, file.events.count, at.isoformat())


def _record(values: Mapping[str, Any]) -> Record:
    if values["format"] != FORMAT:
        raise ValueError(f"format {values['format']}")
    nodes = {name: _node(each) for name, each in values["nodes"].items()}
    return Record(values["at"], values["previous"], nodes)


def _node(values: Mapping[str, Any]) -> NodeRecord:
    return NodeRecord(
        tuple(Rotated(**each) for each in values["files"]),
        Live(**values["live"]) if values["live"] else None,
        Count(**values["count"]) if values["count"] else None,
        values["oldest"],
    )


def vouches(chain: Chain, nodes: Iterable[str]) -> Iterator[str]:
    """Since when the chain can vouch for each node, in words."""
    for node in nodes:
        if runs := chain.runs(node):
            yield f"{node}: what was rotated is compared with {runs} earlier runs, the first at {chain.since(node)}"
        else:
            yield f"{node}: the chain begins with this run; what was changed before cannot be known"
