"""What `tune` found, as text for people, as JSON for programs, and as the part of a stack file that does it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace

from auditlog.events.answer_text import as_json, reading_lines
from auditlog.events.layout import listed, paragraph, safe, when
from auditlog.events.render import human_bytes
from auditlog.policy.model import PolicyRule
from auditlog.policy.write import rule_lines
from auditlog.tuning.knowledge import Loss
from auditlog.tuning.search import Plan, Rates, Refusal, Saving
from auditlog.tuning.steps import joined
from auditlog.tuning.tune import TuneReport

_COMMENT_WIDTH = 100
_SHOWN = 5
"""Refused steps and callers that are named."""
_LEAST_BLOCKER = 0.05
"""A caller is named that makes this share of what is too much."""


def text(report: TuneReport, difference: Sequence[str], width: int | None = None) -> str:
    """The whole report in at most `width` columns. `difference` are the sentences about the changed decisions."""
    lines = list(_lines(report, difference))
    return "\n".join(piece for line in lines for piece in _fitted(line, width)) + "\n"


def overlay(plan: Plan) -> str:
    """The part of a stack file: rules for `rulesBefore`, each below a comment that says what it saves and loses."""
    savings = {each.step.key: each for each in plan.chosen}
    lines = ["policy:"]
    rules = joined(each.step for each in plan.chosen)
    if rules:
        lines.append("  rulesBefore:")
    for rule, steps in rules:
        lines += _commented(rule, [savings[each.key] for each in steps])
    if plan.policy.omit_stages != plan.tuning.policy.omit_stages:
        added = [each for each in plan.chosen if each.step.omit]
        lines += _comment(added, "  ")
        lines.append(f"  omitStages: [{', '.join(plan.policy.omit_stages)}]")
    return "\n".join(lines) + "\n" if plan.chosen else ""


def json(report: TuneReport, difference: Sequence[str]) -> str:
    """Everything for programs."""
    plan = report.plan
    budget = plan.tuning.budget
    return as_json(
        {
            "met": plan.met,
            "budget": {"days": budget.days, "bytes": budget.bytes, "bytesPerDay": budget.bytes_per_day},
            "nodes": [_node_value(report, each) for each in plan.rates],
            "steps": [_saving_value(each) for each in plan.chosen],
            "lost": {
                "detections": plan.loss.detections,
                "narrowedDetections": plan.loss.narrowed,
                "cis": plan.loss.checks,
                "questions": plan.loss.questions,
            },
            "refused": [{**_saving_value(each.saving), "reasons": each.reasons} for each in plan.refused],
            "takenForPeople": [{"user": each.caller, "bytesPerDay": each.bytes_per_day} for each in plan.blockers],
            "overlay": overlay(plan),
            "difference": difference,
            "cannotTell": report.cannot_tell,
            "notes": report.notes,
            "damage": report.damage,
        }
    )


def _lines(report: TuneReport, difference: Sequence[str]) -> Iterator[str]:
    plan = report.plan
    budget = plan.tuning.budget
    yield (
        f"Budget: {_days(budget.days)} in {human_bytes(budget.bytes)} on each node, before compression: "
        f"{human_bytes(budget.bytes_per_day)} a day."
    )
    for each in plan.rates:
        yield from _node_lines(report, each)
    yield ""
    yield from _verdict(plan)
    if plan.chosen:
        yield ""
        yield "STEPS, BY KNOWLEDGE LOST FOR EACH BYTE SAVED"
        for number, (step, savings) in enumerate(_together(plan), 1):
            yield f"{number}. {_sentence(step, savings)}"
            yield f"   for example {safe(savings[0].examples[0])}"
        yield ""
        yield "WHAT IT BLINDS"
        yield from _loss_lines(plan.loss)
        yield ""
        yield "FOR THE STACK FILE, in front of the rules that rulesBefore has already"
        yield overlay(plan).rstrip()
        yield ""
        yield "WHAT IS DECIDED DIFFERENTLY"
        yield from difference
    if plan.refused:
        yield ""
        yield "NOT TAKEN, ALTHOUGH IT WOULD SAVE"
        yield from (_refusal(each) for each in plan.refused[:_SHOWN])
        if rest := plan.refused[_SHOWN:]:
            size = human_bytes(sum(each.saving.bytes_per_day for each in rest))
            yield f"- and {len(rest)} more, {size} a day; -o json has them"
    if report.cannot_tell:
        yield ""
        yield "WHAT THIS LOG CANNOT TELL"
        yield from (f"- {each}" for each in report.cannot_tell)
    reading = list(reading_lines(report.notes, report.damage))
    if reading:
        yield ""
        yield from reading


def _node_lines(report: TuneReport, rates: Rates) -> Iterator[str]:
    budget = report.plan.tuning.budget
    span = report.spans[rates.node]
    yield f"{safe(rates.node)}: {when(span.first)} to {when(span.last)}"
    yield f"  now     {_rate(rates.before, budget.bytes)}"
    if report.plan.chosen:
        yield f"  after   {_rate(rates.after, budget.bytes)}, by the first two thirds"
        yield f"  tried   {_rate(rates.tried_after, budget.bytes)}, on the last third{_error(rates)}"


def _rate(rate: float | None, size: int) -> str:
    if rate is None:
        return "not known"
    kept = f"{size / rate:.1f} days" if rate else "for ever"
    return f"{human_bytes(rate)} a day: kept {kept}"


def _error(rates: Rates) -> str:
    error = prediction_error(rates)
    return "" if error is None else f"; the prediction is {abs(error):.1%} too {'high' if error > 0 else 'low'}"


def prediction_error(rates: Rates) -> float | None:
    """The distance of the predicted rate from the rate of the part that was tried, as a share of the latter; None:
    unknown."""
    if rates.after is None or not rates.tried_after:
        return None
    return rates.after / rates.tried_after - 1


def _verdict(plan: Plan) -> Iterator[str]:
    budget = plan.tuning.budget
    worst = max((each.after or 0.0 for each in plan.rates), default=0.0)
    if plan.met:
        yield "The policy meets the budget as it is." if not plan.chosen else "With these steps it meets the budget."
        tried = [each for each in plan.rates if each.tried_after and each.tried_after > budget.bytes_per_day]
        for each in tried if plan.chosen else ():
            assert each.tried_after is not None  # noqa: S101 - filtered
            over = each.tried_after / budget.bytes_per_day - 1
            yield f"The last third of {safe(each.node)} would have exceeded it by {over:.0%}."
        return
    over = worst - budget.bytes_per_day
    yield f"NOT MET: {human_bytes(worst)} a day are left, {human_bytes(over)} too much. What would meet it:"
    yield f"- {human_bytes(worst * budget.days)} for {_days(budget.days)}, or {budget.bytes / worst:.1f} days"
    named = [each for each in plan.blockers if each.bytes_per_day >= over * _LEAST_BLOCKER]
    for blocker in named[:_SHOWN]:
        size = human_bytes(blocker.bytes_per_day)
        yield (
            f"- {safe(blocker.caller)} writes {size} a day and is taken for a person; if it is a program: "
            f"--program {safe(blocker.caller)}"
        )
    freed = sum(each.saving.bytes_per_day for each in plan.refused)
    if freed:
        yield f"- steps that are refused, {human_bytes(freed)} a day, with what they lose: see below"


def _together(plan: Plan) -> list[tuple[str, Sequence[Saving]]]:
    """The steps as the overlay joins them, in words, those that lose least for each byte first."""
    savings = {each.step.key: each for each in plan.chosen}
    groups = [
        (str(replace(steps[0], rule=rule)), [savings[each.key] for each in steps])
        for rule, steps in joined(each.step for each in plan.chosen)
    ]
    groups += [(str(each.step), [each]) for each in plan.chosen if each.step.rule is None]
    return sorted(groups, key=lambda group: _score(group[1]))


def _score(savings: Sequence[Saving]) -> float:
    return sum(each.loss for each in savings) / sum(each.bytes_per_day for each in savings)


def _sentence(step: str, savings: Sequence[Saving]) -> str:
    entries = tuple(dict.fromkeys(name for each in savings for name in each.step.annotations))
    less = tuple(dict.fromkeys(name for each in savings for name in each.narrowed))
    said = f"; annotations say what changed ({listed(entries, 'and')})" if entries else ""
    sees_less = f"; sees less: {', '.join(less)}" if less else ""
    return f"{safe(step)}: {_amount(savings)}{said}{sees_less}"


def _amount(savings: Sequence[Saving]) -> str:
    size = human_bytes(sum(each.bytes_per_day for each in savings))
    return f"{size} and {sum(each.events_per_day for each in savings):.0f} events a day"


def _loss_lines(loss: Loss) -> Iterator[str]:
    found = False
    for words, names in (
        ("cannot fire any more", loss.detections),
        ("CIS checks that fail now", loss.checks),
        ('questions without the answer "certainly none"', loss.questions),
        ("can fire, but not for the requests above", loss.narrowed),
    ):
        if names:
            found = True
            yield f"- {words}: {', '.join(names)}"
    if not found:
        yield "- nothing: detections, CIS checks and questions see what they saw"


def _refusal(refusal: Refusal) -> str:
    return f"- {safe(str(refusal.saving.step))}: {_amount([refusal.saving])}; {safe(refusal.reasons[0])}"


def _commented(rule: PolicyRule, savings: Sequence[Saving]) -> list[str]:
    return [*_comment(savings, "    "), *(f"  {line}" for line in rule_lines(rule))]


def _comment(savings: Sequence[Saving], margin: str) -> list[str]:
    less = tuple(dict.fromkeys(name for each in savings for name in each.narrowed))
    entries = tuple(dict.fromkeys(name for each in savings for name in each.step.annotations))
    words = f"Saves {_amount(savings)}."
    if entries:
        words += f" Annotations say what changed: {listed(entries, 'and')}."
    if less:
        words += f" No longer seen by {listed(less, 'and')}."
    return textwrap.wrap(
        safe(words),
        _COMMENT_WIDTH,
        initial_indent=f"{margin}# ",
        subsequent_indent=f"{margin}# ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _node_value(report: TuneReport, rates: Rates) -> dict[str, object]:
    span = report.spans[rates.node]
    return {
        "node": rates.node,
        "first": span.first,
        "last": span.last,
        "bytesPerDay": {"now": rates.before, "after": rates.after},
        "tried": {"now": rates.tried_before, "after": rates.tried_after, "error": prediction_error(rates)},
    }


def _saving_value(saving: Saving) -> dict[str, object]:
    return {
        "step": str(saving.step),
        "bytesPerDay": saving.bytes_per_day,
        "eventsPerDay": saving.events_per_day,
        "lossPerByte": saving.score,
        "narrowedDetections": saving.narrowed,
        "annotations": saving.step.annotations,
        "examples": saving.examples,
    }


def _days(days: float) -> str:
    return f"{days:g} day{'' if days == 1 else 's'}"


def _fitted(line: str, width: int | None) -> Iterator[str]:
    """Paragraphs are broken; YAML and what is indented is left as it is."""
    if "\n" in line or line.startswith(" ") or not line:
        yield line
    else:
        yield from paragraph(line, width)
