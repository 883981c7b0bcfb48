"""Which requests two policies decide differently.

Both policies together walk the partition of all requests, so "no difference" means that there is none. Few regions
(`auditlog.policy.regions`) cover the requests whose level differs, one line each. Stages and managed fields differ by
rule and not by request: a pair of rules names them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auditlog.policy.evaluate import decision_of
from auditlog.policy.model import Decision, Level, Policy, Stage
from auditlog.policy.partition import OTHER, AxisName, Outcome, partition
from auditlog.policy.region_text import describe
from auditlog.policy.regions import Region, regions
from auditlog.policy.senders import Sender, senders


@dataclass(frozen=True, slots=True)
class LevelChange:
    """Requests whose level changes. Rules are counted from 0; None stands for "no rule matches"."""

    region: Region
    old: Level
    new: Level
    old_rules: tuple[int | None, ...]
    new_rules: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class DetailChange:
    """What changes about the events that both policies write, whatever their level: `details` in words.

    It is the same for every request that goes from one of the old rules to one of the new ones in `rules`.
    """

    details: tuple[str, ...]
    rules: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything two policies decide differently."""

    levels: tuple[LevelChange, ...]
    details: tuple[DetailChange, ...]

    def __bool__(self) -> bool:
        return bool(self.levels or self.details)


def difference(old: Policy, new: Policy) -> Difference:
    """Every request that the policies decide differently, in few regions; false when there is none.

    Regions of callers that cannot exist, such as one in system:nodes and system:unauthenticated, are left out. Where
    all four stages are omitted, nothing is written, and the level counts as None.
    """

    def decisions(outcome: Outcome) -> tuple[Decision, Decision]:
        return decision_of(old, outcome[0]), decision_of(new, outcome[1])

    def label(outcome: Outcome) -> tuple[Level, Level] | None:
        before, after = (_level(decision) for decision in decisions(outcome))
        return None if before is after else (before, after)

    who = tuple(senders((*old.rules, *new.rules)))
    levels = [
        LevelChange(
            region,
            *_level_pair(label(next(iter(region.outcomes)))),
            _rules(outcome[0] for outcome in region.outcomes),
            _rules(outcome[1] for outcome in region.outcomes),
        )
        for region in regions((old, new), label)
        if any(_is_in(sender, region) for sender in who)
    ]
    details: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for outcome in partition((old, new)).outcomes:
        changed = _details(*decisions(outcome))
        if changed and outcome[0] is not None and outcome[1] is not None:
            details.setdefault(changed, []).append((outcome[0], outcome[1]))
    return Difference(
        tuple(sorted(levels, key=lambda each: (each.new.rank - each.old.rank, each.old.rank))),
        tuple(DetailChange(words, tuple(sorted(rules))) for words, rules in sorted(details.items())),
    )


def _is_in(sender: Sender, region: Region) -> bool:
    user = sender.user if sender.user in region.universe[AxisName.USER] else OTHER
    return user in region.values[AxisName.USER] and region.membership.holds(sender.groups)


def to_text(found: Difference) -> str:
    """A line for each region: who does what, at which level it was and will be written, and by which rules."""
    if not found:
        return "No difference: the same is written of every request.\n"
    lines = [
        f"{describe(each.region)}: {each.old.value} -> {each.new.value}; "
        f"{_numbers(each.old_rules)} -> {_numbers(each.new_rules)}"
        for each in found.levels
    ]
    for detail in found.details:
        by_new: dict[int, list[int]] = {}
        for old, new in detail.rules:
            by_new.setdefault(new, []).append(old)
        rules = "; ".join(f"{_numbers(old)} -> {_numbers([new])}" for new, old in sorted(by_new.items()))
        lines.append(f"what both write: {', '.join(detail.details)}; {rules}")
    return "\n".join([*lines, ""])


def to_json(found: Difference) -> str:
    """An object with one entry for each region; rules are counted from 1, null stands for "no rule matches"."""
    levels = [
        {
            "requests": describe(each.region),
            "old": {"level": each.old.value, "rules": _counted(each.old_rules)},
            "new": {"level": each.new.value, "rules": _counted(each.new_rules)},
        }
        for each in found.levels
    ]
    details = [
        {"details": list(each.details), "rules": [{"old": old + 1, "new": new + 1} for old, new in each.rules]}
        for each in found.details
    ]
    value = {"different": bool(found), "levels": levels, "details": details}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _level(decision: Decision) -> Level:
    return Level.NONE if len(decision.omit_stages) == len(Stage) else decision.level


def _level_pair(label: tuple[Level, Level] | None) -> tuple[Level, Level]:
    assert label is not None  # noqa: S101 - regions are made of labelled outcomes only
    return label


def _details(old: Decision, new: Decision) -> tuple[str, ...]:
    """What changes besides the level, where both write something; managed fields matter where both write bodies."""
    if Level.NONE in (_level(old), _level(new)):
        return ()
    words = [
        f"{'without' if stage in new.omit_stages else 'with'} {stage.value}"
        for stage in Stage
        if (stage in old.omit_stages) != (stage in new.omit_stages)
    ]
    if min(old.level, new.level) >= Level.REQUEST and old.omit_managed_fields != new.omit_managed_fields:
        words.append(f"{'without' if new.omit_managed_fields else 'with'} managedFields")
    return tuple(words)


def _rules(indices: Iterable[int | None]) -> tuple[int | None, ...]:
    return tuple(sorted(set(indices), key=lambda index: -1 if index is None else index))


def _counted(rules: Sequence[int | None]) -> list[int | None]:
    return [None if rule is None else rule + 1 for rule in rules]


def _numbers(rules: Sequence[int | None]) -> str:
    numbers = [str(rule + 1) for rule in rules if rule is not None]
    words = [f"rule{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"] if numbers else []
    return " or ".join([*words, *(["no rule"] if None in rules else [])])
