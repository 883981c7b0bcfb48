"""Counting a log, or a part of one, as fast as it can be parsed.

A line is decoded to the few fields that decide what happens to it. A table holds the combinations of these fields seen
before, and the line is added to the totals of its combination. Policies are asked, and names are made, once per
combination. A line needs a second look in two cases:

- The policy's answer depends on the object's name or the URL.
- The size of the bodies counts.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from typing import BinaryIO

import msgspec
from msgspec import Raw, Struct

from auditlog.events.event import (
    NO_BODY,
    Event,
    LevelName,
    ObjectReference,
    ResponseStatus,
    StageName,
    User,
    request_path,
    resource_name,
    to_request,
)
from auditlog.events.kinds import Amount, Kind, Kinds, KindSettings, Sample, caller_of
from auditlog.events.parts import Part, open_part
from auditlog.events.reading import TOO_LONG, UNREADABLE, Progress, Unread, blocks, reason_of, reporter
from auditlog.events.sources import STDIN
from auditlog.events.tally import NOTHING, Tally, Volume
from auditlog.policy.evaluate import compile_policy, group_matches
from auditlog.policy.model import Decision, Level, Policy, Request, Stage

REMEMBERED_COMBINATIONS = 50_000

DIMENSIONS = ("day", "level", "stage", "rule", "recorded_rule", "user", "resource", "namespace")
"""What totals are kept by. `rule` is the tried policy's, `recorded_rule` is a rule of the policy that wrote the log."""

_BODY_LEVELS = frozenset({Level.REQUEST, Level.REQUEST_RESPONSE})
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_OTHER_NAME = "\0"
"""Stands for every object name that no rule singles out; no Kubernetes object can be called so."""
# What kube-apiserver gives BasicLongRunningRequestCheck (`cmd/kube-apiserver`, `k8s.io/apiserver/pkg/server/filters`).
_LONG_RUNNING_VERBS = frozenset({"watch", "proxy"})
_LONG_RUNNING_SUBRESOURCES = frozenset({"attach", "exec", "proxy", "log", "portforward"})
_READING_VERBS = frozenset({"get", "list", "watch"})


@dataclass(slots=True)
class StageCounts:
    """What the log has of each stage, of the requests that one rule decides. It shows what the log lacks."""

    events: dict[str, int] = field(default_factory=lambda: dict.fromkeys((stage.value for stage in Stage), 0))
    """How many events there are, by stage."""
    finished: int = 0
    """How many final events there are."""
    bare: int = 0
    """Bytes of the final events without bodies, status and annotations, as at RequestReceived."""
    long_running: int = 0
    """How many final events are of long-running requests."""
    started: int = 0
    """Bytes of the final events of long-running requests without bodies, as at ResponseStarted."""

    def add(self, cell: _Cell) -> None:
        """Adds the events of a combination."""
        self.events[cell.stage] += cell.events
        if cell.stage in (Stage.RESPONSE_COMPLETE, Stage.PANIC):
            without_bodies = cell.size - cell.request_bytes - cell.response_bytes
            shorter = cell.outcome_bytes + len(cell.stage) - len(Stage.REQUEST_RECEIVED)
            self.finished += cell.events
            self.bare += without_bodies - cell.events * shorter
            if cell.long_running:
                self.long_running += cell.events
                self.started += without_bodies

    def merge(self, other: StageCounts) -> None:
        """Adds another part's counts."""
        for stage, events in other.events.items():
            self.events[stage] += events
        self.finished += other.finished
        self.bare += other.bare
        self.long_running += other.long_running
        self.started += other.started


@dataclass(slots=True)
class Counts:
    """What a part of a log holds. Timestamps are the log's own text."""

    first: str = ""
    last: str = ""
    recorded: Volume = NOTHING
    written: Volume = NOTHING
    without_body: int = 0
    with_managed_fields: int = 0
    disagreeing: int = 0
    tallies: dict[str, Tally] = field(default_factory=lambda: {name: Tally() for name in DIMENSIONS})
    stages: dict[int | None, StageCounts] = field(default_factory=dict)
    kinds: Kinds = field(default_factory=Kinds)
    unread: Unread = field(default_factory=Unread)

    def saw(self, moment: str) -> None:
        """Widens the time range."""
        if not self.first or moment < self.first:
            self.first = moment
        self.last = max(self.last, moment)

    def merge(self, other: Counts) -> None:
        """Adds a later part of the same log. Its line numbers continue after this part's."""
        self.unread.merge(other.unread)
        self.recorded += other.recorded
        self.written += other.written
        self.without_body += other.without_body
        self.with_managed_fields += other.with_managed_fields
        self.disagreeing += other.disagreeing
        if other.first:
            self.saw(other.first)
            self.saw(other.last)
        for name, tally in other.tallies.items():
            self.tallies[name].merge(tally)
        for rule, counts in other.stages.items():
            self.stages.setdefault(rule, StageCounts()).merge(counts)
        self.kinds.merge(other.kinds)


class _Target(Struct, frozen=True, gc=False, rename="camel"):
    resource: str = ""
    namespace: str = ""
    api_group: str = ""
    subresource: str = ""


class _UserName(Struct, frozen=True, gc=False, rename="camel"):
    username: str = ""


class _Combination(Struct, frozen=True, gc=False, rename="camel"):
    """What is decoded of every line; equal for the lines that are counted together."""

    level: LevelName
    stage: StageName
    verb: str = ""
    user: _UserName = _UserName()
    object_ref: _Target | None = None


class _CombinationWithGroups(_Combination, frozen=True, gc=False, rename="camel"):
    """The same for policies with rules for groups."""

    user: User = User()  # type: ignore[assignment]


class _KindTarget(_Target, frozen=True, gc=False, rename="camel"):
    api_version: str = ""


class _KindCombination(_CombinationWithGroups, frozen=True, gc=False, rename="camel"):
    """The same with every field that distinguishes kinds."""

    object_ref: _KindTarget | None = None
    impersonated_user: _UserName | None = None
    user_agent: str = ""
    response_status: ResponseStatus = ResponseStatus()


class _Details(Struct, gc=False, rename="camel"):
    request_uri: str = msgspec.field(name="requestURI", default="")
    object_ref: ObjectReference | None = None
    request_object: Raw = NO_BODY
    response_object: Raw = NO_BODY


class _Outcome(Struct, gc=False, rename="camel"):
    response_status: Raw = NO_BODY
    annotations: Raw = NO_BODY


class _Moment(Struct, gc=False, rename="camel"):
    stage_timestamp: str


class _Cell:
    """The totals of one combination, and what is the same for all of its events.

    A cell that needs a second look is split by what the look finds: by path, or by which of `names` it is about.
    """

    __slots__ = (
        "bodies",
        "by_path",
        "decision",
        "disagrees",
        "events",
        "kind",
        "labels",
        "level",
        "look_closer",
        "names",
        "outcome_bytes",
        "request",
        "request_bytes",
        "response_bytes",
        "sample",
        "size",
        "stage",
    )

    def __init__(self, event: Event, request: Request, outcome_bytes: int) -> None:
        self.events = self.size = self.request_bytes = self.response_bytes = 0
        self.outcome_bytes = outcome_bytes
        self.level = Level(event.level)
        self.stage = Stage(event.stage)
        self.request = request
        self.labels: tuple[tuple[str, str], ...] = ()
        self.decision: Decision | None = None
        self.kind: Kind | None = None
        self.sample: Sample | None = None
        self.disagrees = self.look_closer = self.by_path = self.bodies = False
        self.names: frozenset[str] = frozenset()

    @property
    def long_running(self) -> bool:
        return self.request.resource_request and (
            self.request.verb in _LONG_RUNNING_VERBS or self.request.subresource in _LONG_RUNNING_SUBRESOURCES
        )

    @property
    def written(self) -> Volume:
        """What the tried policy would write of these events, by what the log has of them."""
        return written(self.decision, self.level, self.stage, self.amount) if self.decision else NOTHING

    @property
    def amount(self) -> Amount:
        """What the cell counted since it was last emptied."""
        return Amount(self.events, self.size, self.request_bytes, self.response_bytes)

    @property
    def lacks_bodies(self) -> bool:
        """Whether the tried policy would write a body that the log does not have."""
        decision, request = self.decision, self.request
        if decision is None or self.stage is not Stage.RESPONSE_COMPLETE or self.stage in decision.omit_stages:
            return False
        if not decision.level > self.level or not request.resource_request or request.verb == "watch":
            return False
        return decision.level is Level.REQUEST_RESPONSE or (
            decision.level is Level.REQUEST and request.verb not in _READING_VERBS
        )


class Counter:
    """Counts parts of logs, and remembers the combinations from part to part.

    `policy` is the policy to try, and the log was written under `recorded`. Either may be None. With `kinds`, the
    counts also have the kinds.
    """

    def __init__(
        self, policy: Policy | None = None, recorded: Policy | None = None, kinds: KindSettings | None = None
    ) -> None:
        self._kinds = kinds
        self._boundary = ""
        self._policies = tuple(each for each in (policy, recorded) if each is not None)
        self._decide = compile_policy(policy) if policy else None
        self._decide_recorded = compile_policy(recorded) if recorded else None
        self._rules = rule_names(policy) if policy else {}
        self._recorded_rules = rule_names(recorded) if recorded else {}
        self._cells: dict[_Combination, _Cell] = {}
        self._closer_cells: dict[tuple[_Combination, str | None], _Cell] = {}
        self._slice = ("", False)
        self._counts = Counts()
        groups_matter = any(rule.user_groups for policy in self._policies for rule in policy.rules)
        wanted = _KindCombination if kinds else _CombinationWithGroups if groups_matter else _Combination
        self._combination = msgspec.json.Decoder(wanted).decode
        self._event = msgspec.json.Decoder(Event).decode
        self._details = msgspec.json.Decoder(_Details).decode
        self._outcome = msgspec.json.Decoder(_Outcome).decode
        self._moment = msgspec.json.Decoder(_Moment).decode

    def count(self, part: Part, progress: Progress = lambda _: None) -> Counts:
        """Counts one part. An error that ends the reading early is in the result's `stopped` and never raised."""
        self._counts = Counts()
        self._slice = ("", False)
        self._boundary = self._kinds.boundaries.get(part.file.node, "") if self._kinds else ""
        try:
            if part.file.path == STDIN:
                self._count_stream(sys.stdin.buffer, None, lambda: None)
            else:
                with open_part(part) as (stream, raw, length):
                    self._count_stream(stream, length, reporter(raw, progress))
        except UNREADABLE as problem:
            self._counts.unread.stop(problem)
        self._fold()
        return self._counts

    def _count_stream(self, stream: BinaryIO, length: int | None, passed: Callable[[], object]) -> None:
        for buffer, end in blocks(stream, length):
            if end == 0:
                self._counts.unread.lines += 1
                self._counts.unread.note(TOO_LONG)
            else:
                self._count_block(buffer, end)
            passed()

    def _count_block(self, buffer: bytearray, end: int) -> None:
        """Counts whole lines. The slice is looked up once if the first and the last line are in the same one."""
        last_start = buffer.rfind(b"\n", 0, end - 1) + 1
        first_stop = buffer.find(b"\n", 0, end)
        with memoryview(buffer) as view:
            first = self._moment_of(view[: first_stop if first_stop >= 0 else end])
            last = self._moment_of(view[last_start:end])
            if first and self._slice_of(first) == self._slice_of(last):
                self._enter(first, last)
                self._count_lines(buffer, view, 0, end)
                return
            start = 0
            while start < end:
                stop = buffer.find(b"\n", start, end) + 1 or end
                if moment := self._moment_of(view[start:stop]):
                    self._enter(moment, moment)
                self._count_lines(buffer, view, start, stop)
                start = stop

    def _count_lines(self, buffer: bytearray, view: memoryview, start: int, end: int) -> None:
        decode, find, known, unread = self._combination, buffer.find, self._cells.get, self._counts.unread
        number = unread.lines
        while start < end:
            stop = find(b"\n", start, end)
            if stop < 0:
                stop = end
            number += 1
            line = view[start:stop]
            try:
                combination = decode(line)
                cell = known(combination) or self._meet(combination, line)
                if cell.look_closer:
                    cell = self._look_closer(combination, cell, line)
                cell.events += 1
                cell.size += stop + 1 - start
            except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
                text = bytes(line)
                if text.strip():
                    unread.lines = number
                    unread.note(reason_of(text, problem, ended=stop < end))
            start = stop + 1
        unread.lines = number

    def _moment_of(self, line: memoryview) -> str:
        try:
            moment = self._moment(line).stage_timestamp
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return ""
        return moment if _TIMESTAMP.fullmatch(moment) else ""

    def _enter(self, first: str, last: str) -> None:
        """Enters the slice that both moments are in, and notes them."""
        if (entered := self._slice_of(first)) != self._slice:
            self._fold()
            self._slice = entered
        self._counts.saw(first)
        self._counts.saw(last)

    def _slice_of(self, moment: str) -> tuple[str, bool]:
        """The day, and whether it is in the part of the log that kinds are tried on."""
        return moment[:10], bool(self._boundary) and moment >= self._boundary

    def _meet(self, combination: _Combination, line: memoryview) -> _Cell:
        """The cell of a combination that was not seen before."""
        self._make_room()
        event = self._event(line)
        cell = self._cells[combination] = self._cell(event, to_request(event), line)
        request = cell.request
        cell.by_path = not request.resource_request or (request.resource == "namespaces" and request.verb == "create")
        cell.names = _names_that_matter(self._policies, request)
        cell.bodies = self._bodies_matter(cell)
        cell.look_closer = cell.by_path or cell.bodies or bool(cell.names)
        return cell

    def _look_closer(self, combination: _Combination, cell: _Cell, line: memoryview) -> _Cell:
        """The cell for what a combination leaves open, with the sizes of this line's bodies added."""
        details = self._details(line)
        if cell.by_path or cell.names:
            distinction: str | None = request_path(details.request_uri)
            if cell.names:
                name = to_request(self._event(line)).name
                distinction = name if name in cell.names else None
            closer = self._closer_cells.get((combination, distinction))
            if closer is None:
                self._make_room()
                event = self._event(line)
                request = to_request(event)
                if distinction is None:
                    request = replace(request, name=_OTHER_NAME)
                closer = self._closer_cells[combination, distinction] = self._cell(event, request, line)
                closer.bodies = self._bodies_matter(closer)
            cell = closer
        if cell.bodies:
            cell.request_bytes += _field_size("requestObject", details.request_object)
            cell.response_bytes += _field_size("responseObject", details.response_object)
        return cell

    def _cell(self, event: Event, request: Request, line: memoryview) -> _Cell:
        outcome = self._outcome(line)
        cell = _Cell(
            event,
            request,
            _field_size("responseStatus", outcome.response_status) + _field_size("annotations", outcome.annotations),
        )
        labels = {
            "stage": event.stage,
            "user": event.user.username or "(not authenticated)",
            "resource": resource_name(event.object_ref) or request.path,
            "namespace": (request.namespace or "(cluster)") if request.resource_request else "(no resource)",
        }
        if self._decide:
            cell.decision = self._decide(request)
            labels["rule"] = self._rules[cell.decision.rule_index]
        if self._decide_recorded:
            under = self._decide_recorded(request)
            labels["recorded_rule"] = self._recorded_rules[under.rule_index]
            cell.disagrees = under.level is not cell.level or cell.stage in under.omit_stages
        cell.labels = tuple(labels.items())
        if self._kinds:
            cell.kind = _kind(event, request, cell, self._kinds)
            cell.sample = Sample(_text(event.stage_timestamp), request, event.user_agent)
        return cell

    def _bodies_matter(self, cell: _Cell) -> bool:
        return cell.level in _BODY_LEVELS if self._kinds else _bodies_matter(cell)

    def _fold(self) -> None:
        """Moves what the cells gathered into the counts, and empties them."""
        for cell in chain(self._cells.values(), self._closer_cells.values()):
            if cell.events:
                self._fold_cell(cell)
                cell.events = cell.size = cell.request_bytes = cell.response_bytes = 0

    def _fold_cell(self, cell: _Cell) -> None:
        counts = self._counts
        recorded, written = Volume(cell.events, cell.size), cell.written
        counts.recorded += recorded
        counts.written += written
        counts.tallies["day"].add(self._slice[0] or "(no time)", recorded, written)
        counts.tallies["level"].add(cell.level, recorded, NOTHING)
        if cell.decision and written.events:
            counts.tallies["level"].add(cell.decision.level, NOTHING, written)
        for dimension, name in cell.labels:
            counts.tallies[dimension].add(name, recorded, written)
        if cell.lacks_bodies:
            counts.without_body += cell.events
        if cell.disagrees:
            counts.disagreeing += cell.events
        if cell.kind and cell.sample:
            counts.kinds.add(cell.kind, cell.amount, cell.sample, tried=self._slice[1])
        decision = cell.decision
        if decision is None or decision.level is Level.NONE:
            return
        if decision.omit_managed_fields and written.events and {cell.level, decision.level} <= _BODY_LEVELS:
            counts.with_managed_fields += cell.events
        counts.stages.setdefault(decision.rule_index, StageCounts()).add(cell)

    def _make_room(self) -> None:
        if len(self._cells) + len(self._closer_cells) >= REMEMBERED_COMBINATIONS:
            self._fold()
            self._cells.clear()
            self._closer_cells.clear()


def written(decision: Decision, level: Level, stage: Stage, amount: Amount) -> Volume:
    """What a policy with this decision writes of events that the log has at this level and stage."""
    if decision.level is Level.NONE or stage in decision.omit_stages:
        return NOTHING
    size = amount.bytes + amount.events * (len(decision.level) - len(level))
    if decision.level < Level.REQUEST_RESPONSE:
        size -= amount.response_bytes
    if decision.level < Level.REQUEST:
        size -= amount.request_bytes
    return Volume(amount.events, size)


def _kind(event: Event, request: Request, cell: _Cell, settings: KindSettings) -> Kind:
    return Kind(
        caller_of(event.user.username, event.user.groups),
        request.verb,
        request.api_group,
        request.resource,
        request.subresource,
        cell.level,
        cell.stage,
        cell.decision.rule_index if cell.decision else None,
        settings.marks(event),
    )


def _text(moment: datetime) -> str:
    """A time as the log writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def rule_names(policy: Policy) -> dict[int | None, str]:
    """What the rules are called in tables, by index; None stands for "no rule matches"."""
    names: dict[int | None, str] = {None: "no rule matches: None"}
    for index, rule in enumerate(policy.rules):
        place = f" (line {rule.line})" if rule.line else ""
        names[index] = f"rule {index + 1}{place}: {rule.level}"
    return names


def _names_that_matter(policies: tuple[Policy, ...], request: Request) -> frozenset[str]:
    """The object names that some rule singles out among the requests for the same resource."""
    if not request.resource_request:
        return frozenset()
    return frozenset(
        name
        for policy in policies
        for rule in policy.rules
        for entry in rule.resources
        if entry.resource_names and group_matches(replace(entry, resource_names=()), request)
        for name in entry.resource_names
    )


def _bodies_matter(cell: _Cell) -> bool:
    """Whether the size of what the tried policy would write depends on the sizes of the bodies in the log."""
    decision = cell.decision
    if decision is None or decision.level is Level.NONE or cell.level not in _BODY_LEVELS:
        return False
    return decision.level < cell.level or not decision.omit_stages >= {Stage.REQUEST_RECEIVED, Stage.RESPONSE_STARTED}


def _field_size(name: str, value: Raw) -> int:
    """Bytes of a field in a line, with its name, quotes, colon and comma; 0 for an absent one."""
    size = memoryview(value).nbytes
    return len(name) + len('"":,') + size if size else 0
