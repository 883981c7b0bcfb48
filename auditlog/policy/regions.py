"""Requests of one kind, as few products of values: "these users, these verbs, these resources".

A partition (`auditlog.policy.partition`) has a decision for every request. Regions cover the requests with the same
label, say "None before, Metadata after". Take a request that no region has yet. Widen it in one axis after the other as
long as every request in it has the label, and go on. Every request with the label is in a region, and no other request
is. Regions may overlap.

Groups are widened in the form "in one of A (and in one of B), in none of C", which people can read. Sets of twice as
many groups as policies decide whether such a region has only its label. One group for each policy decides the outcome
(partition). One for each "in one of" makes the set belong to the region.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from operator import or_

from auditlog.policy.model import Policy, PolicyRule
from auditlog.policy.partition import AxisName, Diagram, Node, Outcome, Value, alike_groups, partition

Label = Hashable
Labeller = Callable[[Outcome], Label | None]

_NO_GROUPS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Membership:
    """In at least one group of each of `one_of`, and in none of `none_of`."""

    one_of: tuple[frozenset[str], ...] = ()
    none_of: frozenset[str] = frozenset()

    def holds(self, groups: frozenset[str]) -> bool:
        """Whether a user with exactly these groups belongs here."""
        return groups.isdisjoint(self.none_of) and all(not groups.isdisjoint(each) for each in self.one_of)


@dataclass(frozen=True, slots=True)
class Region:
    """Requests: every combination of these values. `universe` has all values of each axis, for naming what is left out.

    `outcomes` are the rules that decide them.
    """

    label: Label
    resource_requests: bool
    values: dict[AxisName, frozenset[Value]]
    universe: dict[AxisName, frozenset[Value]]
    membership: Membership
    outcomes: frozenset[Outcome]


def regions(policies: Sequence[Policy | Sequence[PolicyRule]], label_of: Labeller) -> list[Region]:
    """Regions for every label but None, resource requests first. `label_of` gets the outcome for `policies`."""
    divided = partition(policies, spare_groups=len(policies))
    rules = [rule for policy in divided.policies for rule in policy]
    alike = {groups[0]: frozenset(groups) for groups in alike_groups(rules)}
    found: list[Region] = []
    for diagram in divided.diagrams:
        labels = dict.fromkeys(label_of(outcome) for outcome in sorted(diagram.root.outcomes, key=_order))
        for label in labels:
            if label is not None:
                labelled = frozenset(each for each in diagram.root.outcomes if label_of(each) == label)
                found += _Cover(diagram, label, labelled, alike, len(policies)).regions()
    return found


def _order(outcome: Outcome) -> tuple[int, ...]:
    return tuple(-1 if index is None else index for index in outcome)


Box = tuple[int, ...]
"""For each axis a bit for each of its choices. There may be thousands of sets of groups, which bits take lightly."""


class _Cover:
    """Covers the requests of one diagram that lead to `labelled` outcomes."""

    def __init__(
        self,
        diagram: Diagram,
        label: Label,
        labelled: frozenset[Outcome],
        alike: dict[str, frozenset[str]],
        most_witnesses: int,
    ) -> None:
        self.diagram = diagram
        self.label = label
        self.labelled = labelled
        self.alike = alike
        self.most_witnesses = most_witnesses
        self.users = diagram.depth_of(AxisName.USER)
        self.groups = diagram.depth_of(AxisName.GROUPS)
        self.group_sets = [_as_groups(choice.values[0]) for choice in diagram.axes[self.groups].choices]
        self.without_groups = 1 << self.group_sets.index(_NO_GROUPS)
        self.sets_with = {group: _bits(group in groups for groups in self.group_sets) for group in alike}
        self.unknown_user = _bits(choice.values == (None,) for choice in diagram.axes[self.users].choices)
        if len(self.group_sets) == 1:
            self.unknown_user = 0
        self.all_choices = tuple((1 << len(axis.choices)) - 1 for axis in diagram.axes)
        self.labelled_sets: dict[Node, int] = {}
        # Where few rules can tell values apart, a region is wide: start from the choices with the most values.
        self.by_size = [
            sorted(range(len(axis.choices)), key=lambda index, axis=axis: -len(axis.choices[index].values))  # type: ignore[misc]
            for axis in diagram.axes
        ]

    def regions(self) -> list[Region]:
        boxes: list[Box] = []
        memberships: list[Membership] = []
        while (seed := self.uncovered(self.diagram.root, tuple(boxes))) is not None:
            box, membership = max((self.widened(seed, order) for order in self.orders()), key=self.width)
            boxes.append(box)
            memberships.append(membership)
        found = list(zip(boxes, memberships, strict=True))
        needed = [
            index
            for index in sorted(range(len(found)), key=lambda each: self.width(found[each]))
            if self.is_needed(boxes, index)
        ]
        return [self.region(*found[index]) for index in sorted(needed)]

    def is_needed(self, boxes: list[Box], index: int) -> bool:
        """Whether something is only in this box; one that is not is emptied, so that the others know."""
        box = boxes[index]
        boxes[index] = (0,) * len(box)
        if self.uncovered(self.diagram.root, tuple(boxes)) is None:
            return False
        boxes[index] = box
        return True

    def region(self, box: Box, membership: Membership) -> Region:
        values = {}
        universe = {}
        for axis, chosen in zip(self.diagram.axes, box, strict=True):
            values[axis.name] = frozenset(value for index in _indices(chosen) for value in axis.choices[index].values)
            universe[axis.name] = frozenset(value for choice in axis.choices for value in choice.values)
        named = Membership(
            tuple(self.every_alike(groups) for groups in membership.one_of), self.every_alike(membership.none_of)
        )
        outcomes = frozenset(self.outcomes(self.diagram.root, box))
        return Region(self.label, self.diagram.resource_requests, values, universe, named, outcomes)

    def every_alike(self, groups: Iterable[str]) -> frozenset[str]:
        return frozenset(name for group in groups for name in self.alike[group])

    def outcomes(self, node: Node, box: Box) -> set[Outcome]:
        if not node.children:
            return set(node.outcomes)
        found: set[Outcome] = set()
        for child in {node.children[index] for index in _indices(self.real(node.depth, box))}:
            found |= self.outcomes(child, box)
        return found

    def real(self, depth: int, box: Box) -> int:
        """The box's choices on an axis, without no known user where the box has users with groups only."""
        is_phantom = depth == self.users and not box[self.groups] & self.without_groups
        return box[depth] & ~self.unknown_user if is_phantom else box[depth]

    def labelled_groups(self, node: Node) -> int:
        """The sets of groups that lead to the label from a node of the last axis."""
        if node not in self.labelled_sets:
            self.labelled_sets[node] = _bits(child.outcomes <= self.labelled for child in node.children)
        return self.labelled_sets[node]

    def uncovered(self, root: Node, boxes: tuple[Box, ...]) -> tuple[int, ...] | None:
        """A request with the label in none of the boxes, as one choice for each axis."""
        dead: set[tuple[Node, tuple[Box, ...], bool]] = set()

        def search(node: Node, active: tuple[Box, ...], unknown: bool) -> tuple[int, ...] | None:
            if node.outcomes.isdisjoint(self.labelled):
                return None
            if node.depth == self.groups:
                left = self.labelled_groups(node) & (self.without_groups if unknown else self.all_choices[self.groups])
                for box in active:
                    left &= ~box[self.groups]
                return ((left & -left).bit_length() - 1,) if left else None
            if (node, active, unknown) in dead:
                return None
            for index in self.by_size[node.depth]:
                still = tuple(box for box in active if box[node.depth] >> index & 1)
                is_unknown = node.depth == self.users and bool(self.unknown_user >> index & 1)
                rest = search(node.children[index], still, is_unknown)
                if rest is not None:
                    return (index, *rest)
            dead.add((node, active, unknown))
            return None

        return search(root, boxes, False)

    def orders(self) -> Iterator[tuple[int, ...]]:
        """Orders of widening: each axis first once, and from there on who, where, what, how."""
        usual = tuple(reversed(range(len(self.diagram.axes))))
        for first in usual:
            yield (first, *(depth for depth in usual if depth != first))

    def width(self, widened: tuple[Box, Membership]) -> float:
        """The share of all requests, counted in choices."""
        share = 1.0
        for axis, chosen in zip(self.diagram.axes, widened[0], strict=True):
            share *= chosen.bit_count() / len(axis.choices)
        return share

    def widened(self, seed: tuple[int, ...], order: tuple[int, ...]) -> tuple[Box, Membership]:
        box = [1 << index for index in seed]
        membership = self.just(self.group_sets[seed[self.groups]])
        for depth in order:
            if depth == self.groups:
                membership = self.wider_membership(box, self.group_sets[seed[self.groups]])
                box[depth] = self.members(membership)
                continue
            for wider in (self.all_choices[depth], *(1 << index for index in self.by_size[depth])):
                candidate = [*box[:depth], box[depth] | wider, *box[depth + 1 :]]
                if candidate != box and self.has_only_label(tuple(candidate)):
                    box = candidate
        return tuple(box), membership

    def just(self, groups: frozenset[str]) -> Membership:
        return Membership(tuple(frozenset((group,)) for group in sorted(groups)), frozenset(self.alike) - groups)

    def members(self, membership: Membership) -> int:
        """The sets of groups that belong to a membership."""
        found = self.all_choices[self.groups]
        for groups in membership.one_of:
            found &= reduce(or_, (self.sets_with[group] for group in groups))
        for group in membership.none_of:
            found &= ~self.sets_with[group]
        return found

    def wider_membership(self, box: list[int], groups: frozenset[str]) -> Membership:
        """The widest readable membership with these groups in it, all else being as in the box."""

        def fits(membership: Membership) -> bool:
            candidate = [*box[: self.groups], self.members(membership), *box[self.groups + 1 :]]
            return self.has_only_label(tuple(candidate))

        outside = frozenset(self.alike) - groups
        starts = [
            Membership(tuple(frozenset((group,)) for group in chosen), outside)
            for count in range(self.most_witnesses + 1)
            for chosen in combinations(sorted(groups), count)
        ]
        current = next((start for start in starts if fits(start)), self.just(groups))
        for group in sorted(outside):
            wider = Membership(current.one_of, current.none_of - {group})
            current = wider if fits(wider) else current
        for position in range(len(current.one_of)):
            for group in sorted(self.alike):
                one_of = list(current.one_of)
                one_of[position] |= {group}
                wider = Membership(tuple(one_of), current.none_of)
                current = wider if fits(wider) else current
        useful = tuple(each - current.none_of for each in current.one_of)
        return Membership(useful, current.none_of)

    def has_only_label(self, box: Box) -> bool:
        good: set[Node] = set()

        def check(node: Node) -> bool:
            if node.outcomes <= self.labelled or node in good:
                return True
            if node.outcomes.isdisjoint(self.labelled):
                return False
            if node.depth == self.groups:
                return not box[self.groups] & ~self.labelled_groups(node)
            for index in _indices(self.real(node.depth, box)):
                child = node.children[index]
                if node.depth == self.users and self.unknown_user >> index & 1:
                    # Whoever is not known is in no group: other sets of groups do not count.
                    if not self.labelled_groups(child) & self.without_groups:
                        return False
                elif not check(child):
                    return False
            good.add(node)
            return True

        return check(self.diagram.root)


def _bits(flags: Iterable[bool]) -> int:
    return sum(1 << index for index, flag in enumerate(flags) if flag)


def _indices(bits: int) -> Iterator[int]:
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def _as_groups(value: Value) -> frozenset[str]:
    assert isinstance(value, frozenset)  # noqa: S101 - the axis holds nothing else
    return value
