"""The sentences: for which callers, which requests are recorded less and which more, and at which level from now on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from auditlog.policy.model import Level, Policy, Request
from auditlog.policy.summary.cover import Box, Place, cover
from auditlog.policy.summary.grid import Change, Grid, Plane, grid_of


class Direction(StrEnum):
    """Whether a request's level falls or rises."""

    LESS = "less"
    MORE = "more"


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of sentence: which changes it is about, and which requests it may name besides.

    It is about the changes to one of `new`, and from None only if `from_none`.
    """

    direction: Direction
    new: frozenset[Level]
    from_none: bool = False

    def wants(self, change: Change) -> bool:
        if change.new not in self.new or (self.from_none and change.old is not Level.NONE):
            return False
        return change.old > change.new if self.direction is Direction.LESS else change.old < change.new

    def allows(self, change: Change) -> bool:
        is_there = change.old >= change.new if self.direction is Direction.LESS else change.old <= change.new
        return is_there and change.new in self.new


_KINDS = (
    _Kind(Direction.LESS, frozenset({Level.NONE})),
    _Kind(Direction.LESS, frozenset({Level.METADATA})),
    _Kind(Direction.LESS, frozenset({Level.REQUEST})),
    # Whatever the level is: bodies come in sentences of their own.
    _Kind(Direction.MORE, frozenset(Level) - {Level.NONE}, from_none=True),
    _Kind(Direction.MORE, frozenset({Level.REQUEST})),
    _Kind(Direction.MORE, frozenset({Level.REQUEST_RESPONSE})),
)


@dataclass(frozen=True, slots=True)
class Part:
    """Requests of one sentence: a box of one plane."""

    plane: int
    box: Box


@dataclass(frozen=True, slots=True)
class Sentence:
    """What happens to the requests of its parts: all are recorded at one of `new` from now on.

    `old` are the levels they had; the level of none of them goes the other way. All parts have the same callers.
    """

    callers: frozenset[int]
    direction: Direction
    old: tuple[Level, ...]
    new: tuple[Level, ...]
    parts: tuple[Part, ...]
    weight: int
    """How many cells change, so that the sentences that say most come first."""


@dataclass(frozen=True, slots=True)
class DetailSentence:
    """What else changes of events that both policies write; `everywhere` or for some of them."""

    details: tuple[str, ...]
    everywhere: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that two policies decide differently."""

    grid: Grid
    sentences: tuple[Sentence, ...]
    details: tuple[DetailSentence, ...]

    def __bool__(self) -> bool:
        return bool(self.sentences or self.details)

    def about(self, request: Request) -> tuple[Sentence, ...] | None:
        """The sentences that name a request; None when nobody can send it."""
        located = self.grid.locate(request)
        if located is None:
            return None
        caller, plane, cell = located
        place, target = _place(caller, cell)
        return tuple(
            sentence
            for sentence in self.sentences
            if any(part.plane == plane and part.box.holds(place, target) for part in sentence.parts)
        )


def summarize(old: Policy, new: Policy) -> Summary:
    """The sentences for two policies, what is recorded less first, and of that what says most."""
    grid = grid_of(old, new)
    found: dict[tuple[frozenset[int], _Kind], list[_Found]] = {}
    for index, plane in enumerate(grid.planes):
        for kind in _KINDS:
            for each in _parts(index, plane, kind, len(grid.callers)):
                found.setdefault((each.part.box.callers, kind), []).append(each)
    sentences = [
        Sentence(
            callers,
            kind.direction,
            tuple(level for level in Level if any(level in each.old for each in parts)),
            tuple(level for level in Level if any(level in each.new for each in parts)),
            tuple(each.part for each in sorted(parts, key=lambda each: -each.weight)),
            sum(each.weight for each in parts),
        )
        for (callers, kind), parts in found.items()
    ]
    sentences.sort(key=lambda each: (each.direction is Direction.MORE, max(each.new).rank, -each.weight))
    return Summary(grid, tuple(sentences), tuple(_details(grid)))


@dataclass(frozen=True, slots=True)
class _Found:
    """A part with how many cells change in it, and the levels before and after of all of them."""

    part: Part
    weight: int
    old: frozenset[Level]
    new: frozenset[Level]


def _parts(index: int, plane: Plane, kind: _Kind, callers: int) -> Iterator[_Found]:
    """Boxes for one kind of sentence."""
    wanted: dict[Place, int] = {}
    allowed: dict[Place, int] = {}
    for caller in range(callers):
        for cell, change in plane.changes[caller].items():
            place, target = _place(caller, cell)
            if kind.allows(change):
                allowed[place] = allowed.get(place, 0) | 1 << target
            if kind.wants(change):
                wanted[place] = wanted.get(place, 0) | 1 << target
    sizes = (callers, len(plane.axes[0].choices), len(plane.axes[2].choices) if plane.resource_requests else 1)
    for box in cover(wanted, allowed, sizes, len(plane.axes[1].choices)):
        weight = sum((wanted.get(place, 0) & box.targets).bit_count() for place in box.places())
        changes = [change for place in box.places() for change in _changes(plane, place, box.targets)]
        old, new = frozenset(each.old for each in changes), frozenset(each.new for each in changes)
        yield _Found(Part(index, box), weight, old, new)


def _changes(plane: Plane, place: Place, targets: int) -> Iterator[Change]:
    caller, verb, namespace = place
    while targets:
        target = (targets & -targets).bit_length() - 1
        targets &= targets - 1
        yield plane.changes[caller][(verb, target, namespace) if plane.resource_requests else (verb, target)]


def _place(caller: int, cell: tuple[int, ...]) -> tuple[Place, int]:
    return (caller, cell[0], cell[2] if len(cell) > 2 else 0), cell[1]


def _details(grid: Grid) -> Iterable[DetailSentence]:
    """What differs in events that both write: said once for everything, or of a part."""
    found: dict[tuple[str, ...], None] = {}
    for plane in grid.planes:
        for changes in plane.changes:
            for change in changes.values():
                if Level.NONE not in (change.old, change.new):
                    found[change.details] = None
    everywhere = len(found) == 1
    return [DetailSentence(details, everywhere) for details in sorted(found) if details]
