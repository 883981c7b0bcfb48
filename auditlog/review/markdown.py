"""The page for a pull request: what decides on the first screen, everything else below, collapsed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from auditlog.review.preview import Message, Preview, Step
from auditlog.review.sentences import grouped, parted
from auditlog.review.topic import Decision, some

LIMIT = 60_000
"""Characters; a comment on the common forges may have 65,536."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#])")

_MENTION = re.compile(r"(?<!\w)@(?=\w)")
"""What forges take for a person's name, also after a backslash; not the one in an address."""


def marker(environment: str) -> str:
    """The first line of the page, by which the comment of an earlier run is found. It is not shown."""
    return f"<!-- auditlog summary: {environment.replace('--', '')} -->"


def summary(preview: Preview, environment: str, *, limit: int = LIMIT) -> str:
    """The preview as Markdown of at most ``limit`` characters.

    Errors come first, then the decision of each cluster, warnings, and the plan's digest, which always stay. Why,
    every decision of the policy, the resources and the diffs are collapsed; what has no room is left out by name.
    """
    text = "\n".join(_first_screen(preview, environment)) + "\n"
    left_out = []
    for title, block in _collapsed(preview):
        details = f"\n<details><summary>{_escaped(title)}</summary>\n\n{block}\n\n</details>\n"
        if len(text) + len(details) > limit:
            left_out.append(title)
        else:
            text += details
    if left_out:
        text += f"\nToo long for this page: {', '.join(map(_code, left_out))}. The job's files have all of it.\n"
    return text


def _first_screen(preview: Preview, environment: str) -> Iterator[str]:
    yield marker(environment)
    yield f"## Audit logging, {_plain(environment)}: {preview.outcome}"
    yield ""
    yield from _list("Errors", preview.messages, "error")
    for name, decision in preview.decisions.items():
        if len(preview.decisions) > 1:
            yield f"### {_plain(name)}"
            yield ""
        yield from _table(decision)
    if not preview.failed:
        yield from _in_cluster(preview)
    yield from _list("Warnings", preview.messages, "warning")
    if preview.digest and not preview.failed:
        yield f"Plan digest: `{preview.digest}`"


def _table(decision: Decision) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    for topic in decision.topics:
        yield f"| **{_plain(topic.name)}** | {'<br>'.join(map(_plain, topic.sentences))} |"
    yield ""


def _in_cluster(preview: Preview) -> Iterator[str]:
    objects: dict[str, list[str]] = {}
    for step in preview.steps:
        if step.in_cluster:
            objects.setdefault(step.operation, []).append(step.resource)
    if objects:
        changes = (
            f"{len(names)} to {_plain(operation)}: {_plain(some(names))}" for operation, names in objects.items()
        )
        yield f"Objects in the cluster: {'; '.join(changes)}."
        yield ""
    if preview.steps and preview.digest and all(step.in_cluster for step in preview.steps):
        yield "No file on a node changes, and no API server restarts."
        yield ""


def _collapsed(preview: Preview) -> Iterator[tuple[str, str]]:
    """Title and text of each part, in the order in which people ask for them."""
    told = [
        sentence
        for message in preview.messages
        if message.severity not in ("error", "warning")
        for sentence in message.sentences
    ]
    decisions, reasons = map(grouped, parted(told))
    if reasons:
        yield f"Why, and how each node restarts ({len(reasons)})", _bullets(reasons)
    if decisions:
        yield f"Every decision of the policy that changes ({len(decisions)})", _bullets(decisions)
    if preview.steps and not preview.failed:
        yield f"Resources ({len(preview.steps)})", _resources(preview.steps)
    for message in preview.messages:
        if message.diff:
            yield message.resource, _fenced(message)


def _list(title: str, messages: Sequence[Message], severity: str) -> Iterator[str]:
    sentences = grouped(each for message in messages if message.severity == severity for each in message.sentences)
    if sentences:
        yield f"### {title}"
        yield ""
        yield _bullets(sentences)
        yield ""


def _bullets(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {_plain(sentence)}" for sentence in sentences)


def _resources(steps: Sequence[Step]) -> str:
    rows = (f"| {_code(step.resource)} | {_plain(step.operation)} |" for step in steps)
    return "\n".join(("| resource | change |", "|---|---|", *rows))


def _fenced(message: Message) -> str:
    longest = max((len(run) for run in re.findall(r"`+", message.diff)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}diff\n{message.diff}\n{fence}"


def _plain(text: str) -> str:
    """The text as Markdown that shows it as it is: what a node's files say must make no link, no HTML, no mention."""
    return _MENTION.sub("@\u200b", _SPECIAL.sub(r"\\\1", text))


def _code(text: str) -> str:
    return f"`{text.replace('`', '')}`"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
