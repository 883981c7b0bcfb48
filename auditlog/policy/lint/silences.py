"""Findings that somebody looked at and accepted.

In the policy, write `# lint: ignore ID reason`. In front of `rules:` it is for the whole policy. It is for one rule at
the end of a line of the rule, on a line with its keys' indent, or above it. On the command line, ID=reason is for the
whole policy.

A silence needs a reason, must name a check, and must silence something. Otherwise it is itself a finding, which no
silence covers.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import yaml

from auditlog.policy.lint.finding import Finding, Severity
from auditlog.policy.model import Policy, Position

_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*lint:\s*ignore\b[ \t]*(?P<id>\S*)[ \t]*(?P<reason>[^\n]*)", re.MULTILINE)

WITHOUT_REASON = "silence-without-reason"
UNKNOWN_ID = "silence-unknown-id"
UNUSED = "silence-unused"
SUMMARIES = {
    WITHOUT_REASON: "A silence gives no reason.",
    UNKNOWN_ID: "A silence names no check.",
    UNUSED: "A silence covers no finding.",
}
"""The findings about silences themselves; all are errors."""


@dataclass(frozen=True, slots=True)
class Silence:
    """One accepted kind of finding. `rule_index` counts from 0, None is the whole policy; line 0 is not in the text."""

    id: str
    reason: str
    rule_index: int | None = None
    line: int = 0
    column: int = 0


def silences_in(text: str, policy: Policy) -> tuple[Silence, ...]:
    """The silences written in a policy's text."""
    starts = [policy.locate(f"rules[{index}]") for index in range(len(policy.rules))]
    tokens = list(yaml.scan(text))
    code = _lines_with_code(tokens)
    found = []
    for match in _COMMENT.finditer(text):
        if _is_in_a_scalar(tokens, match.start()):
            continue
        line = text.count("\n", 0, match.start()) + 1
        column = match.start() - text.rfind("\n", 0, match.start())
        rule_index = _rule_at(Position(line, column), starts, code)
        found.append(Silence(match["id"], match["reason"].strip(), rule_index, line, column))
    return tuple(found)


def apply_silences(
    findings: Sequence[Finding], silences: Sequence[Silence], known_ids: Mapping[str, object]
) -> list[Finding]:
    """The findings with the accepted ones marked, and one more for each silence that is wrong."""
    usable = [silence for silence in silences if silence.id in known_ids and silence.reason]
    used: set[Silence] = set()
    result = []
    for finding in findings:
        covering = [
            silence
            for silence in usable
            if silence.id == finding.id and silence.rule_index in (None, finding.rule_index)
        ]
        used.update(covering)
        result.append(_silenced(finding, covering[0]) if covering else finding)
    for silence in silences:
        result += _complaints(silence, used, known_ids)
    return result


def _silenced(finding: Finding, silence: Silence) -> Finding:
    return replace(finding, silenced=silence.reason, silenced_line=silence.line)


def _complaints(silence: Silence, used: set[Silence], known_ids: Mapping[str, object]) -> Iterator[Finding]:
    def finding(finding_id: str, reason: str, fix: str) -> Finding:
        return Finding(finding_id, Severity.ERROR, "", silence.line, silence.column, reason, fix)

    if silence.id not in known_ids:
        yield finding(
            UNKNOWN_ID,
            f'"{silence.id}" is no check' if silence.id else "names no check",
            "write: lint: ignore ID reason; `lint --list` shows every ID",
        )
    elif not silence.reason:
        yield finding(WITHOUT_REASON, f"{silence.id} is silenced without a reason", "write it behind the ID")
    elif silence not in used:
        where = "the policy" if silence.rule_index is None else f"rule {silence.rule_index + 1}"
        yield finding(UNUSED, f"{silence.id} finds nothing in {where}", "remove the silence")


def _rule_at(place: Position, starts: Sequence[Position], code: frozenset[int]) -> int | None:
    """The rule a comment belongs to: the one around it, or the one below it.

    A comment between two rules is in the first when it is indented like that rule's keys.
    """
    following = bisect_right([start.line for start in starts], place.line)
    in_previous = following > 0 and (place.line in code or place.column >= starts[following - 1].column)
    if in_previous:
        return following - 1
    next_code = min((line for line in code if line > place.line), default=0)
    if following < len(starts) and next_code == starts[following].line:
        return following
    return None


def _lines_with_code(tokens: Sequence[yaml.Token]) -> frozenset[int]:
    """The lines that hold more than a comment. Tokens that only mark a structure may stand on a later line."""
    structure = (yaml.BlockEndToken, yaml.StreamStartToken, yaml.StreamEndToken)
    return frozenset(
        line
        for token in tokens
        if not isinstance(token, structure)
        for line in range(token.start_mark.line + 1, token.end_mark.line + 2)
    )


def _is_in_a_scalar(tokens: Sequence[yaml.Token], position: int) -> bool:
    return any(
        isinstance(token, yaml.ScalarToken) and token.start_mark.index <= position < token.end_mark.index
        for token in tokens
    )
