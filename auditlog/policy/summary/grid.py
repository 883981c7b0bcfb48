"""All requests of two policies as a grid: callers, verbs, targets and namespaces that no rule tells apart.

A caller is whoever can exist (`auditlog.policy.senders`), and those to whom the same happens are one choice. With the
callers settled, what is left has few values, so the full product is small enough to be written down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import comb

from auditlog.policy.evaluate import decision_of
from auditlog.policy.model import Level, Policy, PolicyRule, Request, Stage
from auditlog.policy.partition import Axis, accepted_values, request_axes
from auditlog.policy.senders import Sender, free_groups, senders

_MOST_SENDERS = 4_000
"""Sets of groups are kept apart as long as there are no more senders than this. Pairs always are, if they can be."""

Cell = tuple[int, ...]
"""The index of a choice on each axis: verb, target and, for resources, namespace."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to a request: its levels, and what else of its events differs where both policies write some."""

    old: Level
    new: Level
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Caller:
    """Senders to whose requests the same happens."""

    senders: tuple[Sender, ...]


@dataclass(frozen=True)
class Plane:
    """Requests for resources, or all others: the change of each cell, for each caller."""

    resource_requests: bool
    axes: tuple[Axis, ...]
    changes: tuple[dict[Cell, Change], ...]
    """For each caller of the grid the change of every cell."""


@dataclass(frozen=True)
class Grid:
    """Every request that can be sent, as two policies decide it."""

    rules: tuple[PolicyRule, ...]
    """Those of the old policy and behind them those of the new one."""
    callers: tuple[Caller, ...]
    planes: tuple[Plane, ...]
    crowded: tuple[str, ...]
    """The groups of people, if there are too many to keep every set of them apart."""
    most_groups: int
    """Senders in more than so many of them are not told apart then."""

    @cached_property
    def _caller_of_mask(self) -> dict[int, int]:
        return {
            sender_mask(self.rules, sender): index
            for index, caller in enumerate(self.callers)
            for sender in caller.senders
        }

    def locate(self, request: Request) -> tuple[int, int, Cell] | None:
        """Caller, plane and cell of a request; None when no caller of the grid sends it."""
        sender = Sender(request.user, frozenset(request.groups))
        caller = self._caller_of_mask.get(sender_mask(self.rules, sender))
        if caller is None:
            return None
        index = 0 if request.resource_request else 1
        accepted = accepted_values(self.rules, request)
        cell = tuple(
            next(place for place, choice in enumerate(axis.choices) if choice.accepted == mask)
            for axis, mask in zip(self.planes[index].axes, accepted, strict=True)
        )
        return caller, index, cell


def grid_of(old: Policy, new: Policy) -> Grid:
    """The grid of two policies."""
    rules = (*old.rules, *new.rules)
    free = free_groups(rules)
    most = _most_groups(len(free), sum(len(rule.users) for rule in rules) + 1)
    by_mask: dict[int, list[Sender]] = {}
    for sender in senders(rules, most_groups=most):
        by_mask.setdefault(sender_mask(rules, sender), []).append(sender)
    anyone = [replace(rule, users=(), user_groups=()) for rule in rules]
    axes = tuple(request_axes(anyone, is_resource) for is_resource in (True, False))
    decide = _Decider(old, new)
    alike: dict[tuple[tuple[Change, ...], ...], list[Sender]] = {}
    for mask, who in by_mask.items():
        key = tuple(tuple(decide(mask & accepted) for _, accepted in _cells(each)) for each in axes)
        alike.setdefault(key, []).extend(who)
    planes = tuple(
        Plane(
            is_resource,
            axes[index],
            tuple(dict(zip((cell for cell, _ in _cells(axes[index])), key[index], strict=True)) for key in alike),
        )
        for index, is_resource in enumerate((True, False))
    )
    callers = tuple(Caller(tuple(who)) for who in alike.values())
    return Grid(rules, callers, planes, free if most < len(free) else (), most)


def _most_groups(groups: int, users: int) -> int:
    """How many groups at once distinguish senders."""
    senders_with = [users * sum(comb(groups, size) for size in range(most + 1)) for most in range(groups + 1)]
    return max((most for most, count in enumerate(senders_with) if count <= _MOST_SENDERS), default=0)


def sender_mask(rules: Sequence[PolicyRule], sender: Sender) -> int:
    """A bit for each rule that is for this sender."""
    return sum(1 << index for index, rule in enumerate(rules) if sender.meets(rule))


def _cells(axes: Sequence[Axis]) -> Iterator[tuple[Cell, int]]:
    """Every cell with the rules that accept it."""

    def below(depth: int, cell: Cell, accepted: int) -> Iterator[tuple[Cell, int]]:
        if depth == len(axes):
            yield cell, accepted
            return
        for index, choice in enumerate(axes[depth].choices):
            yield from below(depth + 1, (*cell, index), accepted & choice.accepted)

    return below(0, (), -1)


class _Decider:
    """The change that a set of matching rules leads to; there are far fewer of these than of cells."""

    def __init__(self, old: Policy, new: Policy) -> None:
        self.policies = (old, new)
        self.known: dict[int, Change] = {}
        self.equal: dict[Change, Change] = {}

    def __call__(self, matching: int) -> Change:
        if matching not in self.known:
            change = self.decided(matching)
            self.known[matching] = self.equal.setdefault(change, change)
        return self.known[matching]

    def decided(self, matching: int) -> Change:
        old, new = self.policies
        width = len(old.rules)
        before = decision_of(old, _first(matching & ((1 << width) - 1)))
        after = decision_of(new, _first((matching >> width) & ((1 << len(new.rules)) - 1)))
        levels = [Level.NONE if len(each.omit_stages) == len(Stage) else each.level for each in (before, after)]
        if Level.NONE in levels:
            return Change(levels[0], levels[1])
        details = [
            f"{'without' if stage in after.omit_stages else 'with'} {stage.value}"
            for stage in Stage
            if (stage in before.omit_stages) != (stage in after.omit_stages)
        ]
        if min(levels) >= Level.REQUEST and before.omit_managed_fields != after.omit_managed_fields:
            details.append(f"{'without' if after.omit_managed_fields else 'with'} managedFields")
        return Change(levels[0], levels[1], tuple(details))


def _first(bits: int) -> int | None:
    return (bits & -bits).bit_length() - 1 if bits else None
