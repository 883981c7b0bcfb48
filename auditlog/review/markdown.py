"""The page for a pull request: what changes, why, and the exact edit of every file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from auditlog.review.preview import Message, Preview

LIMIT = 60_000
"""Characters; a comment on the common forges may have 65,536."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#])")


def summary(preview: Preview, environment: str, *, limit: int = LIMIT) -> str:
    """The preview as Markdown of at most ``limit`` characters: heading, errors and warnings, what changes, diffs.

    Diffs that have no room are left out by name; everything before them always stays.
    """
    head = "\n".join(_head(preview, environment)) + "\n"
    left_out, details = [], ""
    for message in preview.messages:
        if not message.diff:
            continue
        block = _details(message)
        if len(head) + len(details) + len(block) > limit:
            left_out.append(message.resource)
        else:
            details += block
    if left_out:
        details += f"\nToo long for this page: the diffs of {', '.join(map(_code, left_out))}.\n"
    return head + details


def _head(preview: Preview, environment: str) -> Iterator[str]:
    yield f"## Audit logging, {_plain(environment)}: {_outcome(preview)}"
    yield ""
    for severity, title in (("error", "Errors"), ("warning", "Warnings")):
        yield from _list(title, [message for message in preview.messages if message.severity == severity])
    if preview.steps and not preview.failed:
        yield "| resource | change |"
        yield "|---|---|"
        for step in preview.steps:
            yield f"| {_code(step.resource)} | {_plain(step.operation)} |"
        yield ""
    told = [message for message in preview.messages if message.severity not in ("error", "warning")]
    yield from _list("Why", [message for message in told if message.sentences])
    if preview.digest and not preview.failed:
        yield f"Plan digest: `{preview.digest}`"


def _outcome(preview: Preview) -> str:
    if preview.failed:
        return "the preview failed, nothing can be applied"
    if not preview.steps:
        return f"no changes, {preview.unchanged} unchanged"
    return f"{len(preview.steps)} to change, {preview.unchanged} unchanged"


def _list(title: str, messages: Sequence[Message]) -> Iterator[str]:
    # A node's policy and its manifest often change for the same reason.
    sentences = dict.fromkeys(sentence.strip() for message in messages for sentence in message.sentences)
    sentences.pop("", None)
    if sentences:
        yield f"### {title}"
        yield ""
        yield from (f"- {_plain(sentence)}" for sentence in sentences)
        yield ""


def _details(message: Message) -> str:
    longest = max((len(run) for run in re.findall(r"`+", message.diff)), default=0)
    fence = "`" * max(3, longest + 1)
    return (
        f"\n<details><summary>{_escaped(message.resource)}</summary>\n\n"
        f"{fence}diff\n{message.diff}\n{fence}\n\n</details>\n"
    )


def _plain(text: str) -> str:
    """The text as Markdown that shows it as it is: what a node's files say must not make links or HTML."""
    return _SPECIAL.sub(r"\\\1", text)


def _code(text: str) -> str:
    return f"`{text.replace('`', '')}`"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
