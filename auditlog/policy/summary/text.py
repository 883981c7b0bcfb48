"""The sentences as lines for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditlog.policy.model import Level
from auditlog.policy.region_text import shortened_what, verbs, where
from auditlog.policy.regions import Membership, Region
from auditlog.policy.senders import Sender, free_groups
from auditlog.policy.summary.callers import Kind, kind_of, who
from auditlog.policy.summary.sentences import Direction, Part, Sentence, Summary

MOST_SENTENCES = 14
"""Sentences that are written out. The others are counted, in one line for less and one for more."""

_MOST_PARTS = 2
_MOST_NAMES = 5
_MOST_DETAILS = 2
_FULL = " (auditlog diff --full)"


def to_lines(summary: Summary) -> list[str]:
    """The sentences, at most 20 lines: what is recorded less first."""
    shown, rest = _chosen(summary.sentences)
    lines = []
    for direction in Direction:
        lines += [_sentence(summary, each) for each in shown if each.direction is direction]
        left = [each for each in rest if each.direction is direction]
        if left:
            lines.append(_folded(summary, left, direction))
    lines += _details(summary)
    if summary.grid.crowded:
        most = summary.grid.most_groups
        lines.append(
            f"not known here: what changes for members of more than {most} of {len(summary.grid.crowded)} groups{_FULL}"
        )
    return lines


def to_json(summary: Summary) -> dict[str, object]:
    """Every sentence with all of its parts."""
    return {
        "sentences": [
            {
                "callers": _who(summary, each),
                "direction": each.direction.value,
                "old": [level.value for level in each.old],
                "new": [level.value for level in each.new],
                "requests": [_part(summary, part, most_names=None) for part in each.parts],
            }
            for each in summary.sentences
        ],
        "details": [{"details": list(each.details), "everywhere": each.everywhere} for each in summary.details],
    }


def _chosen(sentences: Sequence[Sentence]) -> tuple[list[Sentence], list[Sentence]]:
    """The sentences to write out, those that say most, and the others; both in their order."""
    if len(sentences) <= MOST_SENTENCES:
        return list(sentences), []
    best = sorted(sentences, key=lambda each: -each.weight)[:MOST_SENTENCES]
    return [each for each in sentences if each in best], [each for each in sentences if each not in best]


def _sentence(summary: Summary, sentence: Sentence) -> str:
    parts = [_part(summary, part, most_names=_MOST_NAMES) for part in sentence.parts[:_MOST_PARTS]]
    if len(sentence.parts) > _MOST_PARTS:
        parts.append(f"and {_counted(len(sentence.parts) - _MOST_PARTS, 'narrower kind')} of requests")
    return f"{_who(summary, sentence)}: {'; '.join(parts)}: {_happens(sentence)}"


def _happens(sentence: Sentence) -> str:
    was = f"(was {_levels(sentence.old)})"
    if sentence.new == (Level.NONE,):
        return f"nothing is recorded any more {was}"
    if sentence.direction is Direction.LESS:
        return f"{_levels(sentence.new)} only from now on {was}"
    if len(sentence.new) > 1:
        was = "(nothing was)" if sentence.old == (Level.NONE,) else "(a part was not)"
        return f"recorded from now on, at {_levels(sentence.new)} {was}"
    return f"{_levels(sentence.new)} from now on {was}"


def _levels(levels: Sequence[Level]) -> str:
    return _listed([level.value for level in levels], "or")


def _folded(summary: Summary, sentences: Sequence[Sentence], direction: Direction) -> str:
    found = {kind_of(sender) for each in sentences for sender in _senders(summary, each)}
    kinds = [kind.value for kind in Kind if kind in found]
    count = sum(len(each.parts) for each in sentences)
    return f"{direction.value} of {_counted(count, 'narrower kind')} of requests, by {_listed(kinds, 'and')}{_FULL}"


def _details(summary: Summary) -> Iterator[str]:
    shown = summary.details[:_MOST_DETAILS]
    for each in shown:
        scope = "of every request that both record" if each.everywhere else "of a part of what both record"
        yield f"{scope}: {', '.join(each.details)} from now on"
    if len(summary.details) > len(shown):
        yield f"and {_counted(len(summary.details) - len(shown), 'other change')} of stages or managedFields{_FULL}"


def _who(summary: Summary, sentence: Sentence) -> str:
    everyone = [sender for caller in summary.grid.callers for sender in caller.senders]
    return who(_senders(summary, sentence), everyone, free_groups(summary.grid.rules))


def _senders(summary: Summary, sentence: Sentence) -> list[Sender]:
    return [sender for index in sorted(sentence.callers) for sender in summary.grid.callers[index].senders]


def _part(summary: Summary, part: Part, most_names: int | None) -> str:
    plane = summary.grid.planes[part.plane]
    universe = {
        axis.name: frozenset(value for choice in axis.choices for value in choice.values) for axis in plane.axes
    }
    target_bits = (index for index in range(part.box.targets.bit_length()) if part.box.targets >> index & 1)
    chosen = (part.box.verbs, frozenset(target_bits), part.box.namespaces)
    values = {
        axis.name: frozenset(value for index in indices for value in axis.choices[index].values)
        for axis, indices in zip(plane.axes, chosen, strict=False)
    }
    region = Region(None, plane.resource_requests, values, universe, Membership(), frozenset())
    return f"{verbs(region)} of {shortened_what(region, most_names)}{where(region)}"


def _counted(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


def _listed(words: Sequence[str], last: str) -> str:
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""
