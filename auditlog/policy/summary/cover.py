"""Cells of a grid as few boxes: "these callers, these verbs, these targets, these namespaces".

A box holds no cell that is not allowed, and all boxes together hold every cell that is wanted. What is allowed and not
wanted makes boxes larger and so their words shorter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product

Place = tuple[int, int, int]
"""Caller, verb and namespace."""


@dataclass(frozen=True, slots=True)
class Box:
    """Every combination of these choices; `targets` has a bit for each."""

    callers: frozenset[int]
    verbs: frozenset[int]
    namespaces: frozenset[int]
    targets: int

    def places(self) -> Iterator[Place]:
        """Every caller with every verb and namespace."""
        return product(sorted(self.callers), sorted(self.verbs), sorted(self.namespaces))

    def holds(self, place: Place, target: int) -> bool:
        """Whether a cell is in it."""
        caller, verb, namespace = place
        is_there = caller in self.callers and verb in self.verbs and namespace in self.namespaces
        return is_there and bool(self.targets >> target & 1)


def cover(wanted: Mapping[Place, int], allowed: Mapping[Place, int], sizes: Place, targets: int) -> list[Box]:
    """Boxes of allowed cells that hold every wanted one, the ones with most first.

    Both mappings have the targets of a place as bits. `sizes` are the numbers of callers, verbs and namespaces;
    `targets` is the number of targets.
    """
    left = {place: bits for place, bits in wanted.items() if bits}
    boxes: list[Box] = []
    while left:
        seeds = sorted(left, key=lambda place: (-left[place].bit_count(), place))[:3]
        candidates = [_widened(seed, left[seed], allowed, sizes, order) for seed in seeds for order in _ORDERS]
        best = max(candidates, key=lambda box: (_count(box, left), -_words(box)))
        boxes.append(best)
        for place in best.places():
            if place in left:
                left[place] &= ~best.targets
                if not left[place]:
                    del left[place]
    everything = (1 << targets) - 1
    return [_without_the_unchanged(box, wanted, everything) for box in _needed(boxes, wanted)]


def _without_the_unchanged(box: Box, wanted: Mapping[Place, int], everything: int) -> Box:
    """The box without the choices for which nothing in it is wanted: to name them would say nothing.

    Targets are kept where the box has them all and most change: "any" is shorter than what it would be without some.
    """
    hit = [place for place in box.places() if wanted.get(place, 0) & box.targets]
    targets = 0
    for place in hit:
        targets |= wanted[place] & box.targets
    return Box(
        frozenset(caller for caller, _, _ in hit),
        frozenset(verb for _, verb, _ in hit),
        frozenset(namespace for _, _, namespace in hit),
        box.targets if box.targets == everything and 2 * targets.bit_count() >= everything.bit_count() else targets,
    )


_ORDERS = tuple(permutations(("callers", "verbs", "namespaces", "targets")))


def _count(box: Box, wanted: Mapping[Place, int]) -> int:
    return sum((wanted.get(place, 0) & box.targets).bit_count() for place in box.places())


def _words(box: Box) -> int:
    return len(box.callers) + len(box.verbs) + len(box.namespaces)


def _widened(seed: Place, bits: int, allowed: Mapping[Place, int], sizes: Place, order: Sequence[str]) -> Box:
    """The box around one place, widened on one axis after the other."""
    chosen = [{seed[0]}, {seed[1]}, {seed[2]}]
    names = ("callers", "verbs", "namespaces")
    targets = bits & -bits
    for axis in order:
        if axis == "targets":
            targets = -1
            for caller, verb, namespace in product(*chosen):
                targets &= allowed.get((caller, verb, namespace), 0)
            continue
        position = names.index(axis)
        for value in range(sizes[position]):
            others = [each if index != position else {value} for index, each in enumerate(chosen)]
            if all(allowed.get((each[0], each[1], each[2]), 0) & targets == targets for each in product(*others)):
                chosen[position].add(value)
    return Box(frozenset(chosen[0]), frozenset(chosen[1]), frozenset(chosen[2]), targets)


def _needed(boxes: Sequence[Box], wanted: Mapping[Place, int]) -> list[Box]:
    """The boxes without those that hold nothing alone."""
    kept = list(boxes)
    for box in reversed(boxes):
        others = [each for each in kept if each is not box]
        left = {
            place: bits & ~_covered(place, others)
            for place in box.places()
            if (bits := wanted.get(place, 0) & box.targets)
        }
        if not any(left.values()):
            kept = others
    return sorted(kept, key=lambda box: -_count(box, wanted))


def _covered(place: Place, boxes: Iterable[Box]) -> int:
    caller, verb, namespace = place
    bits = 0
    for box in boxes:
        if caller in box.callers and verb in box.verbs and namespace in box.namespaces:
            bits |= box.targets
    return bits
