"""The lines at the top of a preview: written by the program, read again for the page.

One form for both, so that a terminal and a pull request say the same: ``topic: sentence; sentence``. Lines break
between words and continue below the first sentence. The first line alone says the most important, since the engine
shows it beside the stack while the preview runs. It prints whole messages in its own order (``toResourceRows`` in
https://github.com/pulumi/pulumi/blob/v3.250.0/pkg/backend/display/progress.go).
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from auditlog.review.topic import Decision, Topic

HEADING = "In short"
_BETWEEN = "; "
_INDENT = "  "
_WIDTH = 110
_IN_THE_HEADLINE = 2
"""What changes, and how long the API is away."""
_FIRST = re.compile(r" {2}(?=\S)([^:]+): +(.*)")


def in_short(decision: Decision) -> str:
    """The message, as ``pulumi preview`` shows it. No sentence may hold a semicolon with a space behind it."""
    column = max(len(topic.name) for topic in decision.topics) + len(_INDENT) + 2
    lines = [f"{HEADING}: {headline(decision)}"]
    for topic in decision.topics:
        begin = f"{_INDENT}{topic.name}:".ljust(column)
        text = _BETWEEN.join(topic.sentences)
        lines += textwrap.wrap(
            text,
            _WIDTH,
            initial_indent=begin,
            subsequent_indent=" " * column,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def headline(decision: Decision) -> str:
    """The decision in one line."""
    return _BETWEEN.join(topic.sentences[0] for topic in decision.topics[:_IN_THE_HEADLINE])


def read_in_short(lines: Sequence[str]) -> Decision | None:
    """The decision of a message's lines; None if it is another message. Inverse of ``in_short``."""
    if not lines or not lines[0].startswith(f"{HEADING}: "):
        return None
    texts: dict[str, str] = {}
    name = ""
    for line in lines[1:]:
        if found := _FIRST.fullmatch(line):
            name, texts[found[1]] = found[1], found[2].rstrip()
        elif name:
            texts[name] += f" {line.strip()}"
    return Decision(tuple(Topic(name, tuple(text.split(_BETWEEN))) for name, text in texts.items()))
