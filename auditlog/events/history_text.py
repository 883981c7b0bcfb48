"""The policy histories that nodes report, line by line, and the file that keeps them.

A node writes its history with every change (`node/policy_history.sh`). A power cut, a full disk or an editor may damage
it. If a line cannot be read, nothing is known about the time from the line before it to the line after it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from auditlog.errors import AuditlogError
from auditlog.events.layout import when

HISTORY = "history:"
"""The prefix of a kept history in `--policy`."""

FORMAT = 1
ABSENT = "absent"

LOOKS = frozenset({"stack", "found", "removed", "archive", "now", "seen"})
"""Who may have looked: the stack after a change, before one, or after a removal; a backup; a command, now or then."""

_LATEST = 253_402_300_799
"""The last second that a date can have."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


class HistoryError(AuditlogError):
    """A kept history that cannot be read; the message names the file."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One line of a node's history (`node/policy_history.sh`). Times are in seconds since 1970, 0 for not known."""

    node: str
    first: int
    last: int
    policy: str
    """The SHA-256 of the policy's text, or `absent`."""
    changed: int
    """When the file was last changed."""
    started: int
    """When the running API server started."""
    by: str
    """Who looked, one of LOOKS."""

    @property
    def line(self) -> str:
        """The observation as a line of the history."""
        return f"observation {self.first} {self.last} {self.policy} {self.changed} {self.started} {self.by}"


@dataclass(frozen=True, slots=True)
class Lost:
    """A time that a damaged line leaves unknown, in seconds since 1970; None is open."""

    first: int | None
    last: int | None

    @property
    def line(self) -> str:
        """The same as a line of a kept history."""
        return f"lost {self.first or 0} {self.last or 0}"

    def touches(self, start: int | None, end: int | None) -> bool:
        """Whether it shares a moment with another time."""
        begins_before = self.first is None or end is None or self.first <= end
        return begins_before and (self.last is None or start is None or self.last >= start)

    def __str__(self) -> str:
        start = "the beginning" if self.first is None else when(datetime.fromtimestamp(self.first, UTC))
        end = "now" if self.last is None else when(datetime.fromtimestamp(self.last, UTC))
        return f"from {start} to {end}"


@dataclass(frozen=True, slots=True)
class Told:
    """The history that one node reports."""

    texts: Mapping[str, str]
    """The policies' texts by their names."""
    observations: tuple[Observation, ...]
    lost: tuple[Lost, ...] = ()
    """The times that damaged lines leave unknown."""
    damaged_texts: tuple[str, ...] = ()
    """Names of policies whose text is damaged."""

    def complaints(self, node: str) -> Iterator[str]:
        """What people should know of the damage, in sentences without a full stop."""
        for lost in self.lost:
            yield f"a line of the policy history of {node} is damaged: it says nothing of the time {lost}"
        for name in self.damaged_texts:
            yield f"the policy history of {node} has a damaged text of policy {name[:12]}"


def told_by(node: str, lines: str) -> Told:
    """Reads what a node reports (`policies` of `node/log_files.sh`), or what is kept of it. Damage raises no error."""
    texts: dict[str, str] = {}
    damaged_texts: dict[str, None] = {}
    read: list[Observation | Lost | None] = []
    for line in filter(None, lines.split("\n")):
        kind, _, rest = line.partition(" ")
        if kind == "text":
            name, _, encoded = rest.partition(" ")
            text = _text(name, encoded)
            if text is None:
                damaged_texts[name] = None
            else:
                texts.setdefault(name, text)
        else:
            read.append(_observation(node, rest) if kind == "observation" else _lost(line))
    known = [each for each in read if isinstance(each, Observation)]
    lost = (*(each for each in read if isinstance(each, Lost)), *_holes(read))
    names = tuple(name for name in damaged_texts if name not in texts)
    return Told(texts, tuple(known), tuple(dict.fromkeys(lost)), names)


def read_kept(path: Path) -> dict[str, str]:
    """Reads a file that `kept_text` wrote: what nodes reported, by node. Raises HistoryError for any other file."""
    try:
        kept = json.loads(path.read_bytes())
        nodes = kept["nodes"]
        if kept["format"] != FORMAT:
            raise HistoryError(f"{path}: format {kept['format']!r}; allowed: {FORMAT}")
        return {str(node): "\n".join(map(str, lines)) for node, lines in nodes.items()}
    except OSError as problem:
        raise HistoryError(f"{path}: {problem.strerror}") from problem
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise HistoryError(f"{path}: no policy history; allowed: a file of auditlog policy-history --keep") from problem


def kept_text(earlier: Mapping[str, str], told: Mapping[str, str]) -> str:
    """The text of a file for `read_kept`: what was kept earlier and what nodes report now.

    The state that they report is kept as an observation of this moment. So an edit by hand between two runs is known
    to have happened after the first. Damaged lines are kept as times of which nothing is known.
    """
    names = dict.fromkeys((*earlier, *told))
    nodes = {node: _kept(told_by(node, earlier.get(node, "")), told_by(node, told.get(node, ""))) for node in names}
    return json.dumps({"format": FORMAT, "nodes": nodes}, indent=1) + "\n"


def told_lines(texts: Mapping[str, str], observations: Iterable[Observation]) -> str:
    """Policies and observations in the format of a node's report, for those from elsewhere."""
    encoded = (f"text {name} {base64.b64encode(text.encode()).decode()}" for name, text in texts.items())
    return "\n".join((*encoded, *(each.line for each in observations)))


def _kept(earlier: Told, now: Told) -> list[str]:
    seen: dict[tuple[str, int, int, str], Observation] = {}
    for each in (*earlier.observations, *now.observations):
        by = "seen" if each.by == "now" else each.by
        what = (each.policy, each.changed, each.started, by)
        known = seen.get(what, each)
        first, last = min(known.first, each.first), max(known.last, each.last)
        seen[what] = Observation(each.node, first, last, each.policy, each.changed, each.started, by)
    lost: dict[int | None, Lost] = {}
    for gap in (*earlier.lost, *now.lost):
        # Of the same line, seen again with another one behind it.
        known_gap = lost.get(gap.first, gap)
        ends = [each.last for each in (gap, known_gap) if each.last is not None]
        lost[gap.first] = Lost(gap.first, min(ends, default=None))
    ordered = sorted(seen.values(), key=lambda each: (each.last, each.first))
    texts = told_lines({**now.texts, **earlier.texts}, ordered)
    return [*filter(None, texts.split("\n")), *(each.line for each in lost.values())]


def _observation(node: str, text: str) -> Observation | None:
    """None for a line that was cut off or overwritten, or has impossible times."""
    words = text.split()
    if len(words) != 6 or words[5] not in LOOKS or not all(words[index].isdecimal() for index in (0, 1, 3, 4)):
        return None
    first, last, changed, started = (int(words[index]) for index in (0, 1, 3, 4))
    # The kernel counts seconds from the boot, whose time may be told one second apart.
    possible = 0 < first <= last <= _LATEST and started <= last + 1 and changed <= _LATEST
    return Observation(node, first, last, words[2], changed, started, words[5]) if possible else None


def _lost(line: str) -> Lost | None:
    kind, *words = line.split() or [""]
    if kind != "lost" or len(words) != 2 or not all(word.isdecimal() and int(word) <= _LATEST for word in words):
        return None
    return Lost(int(words[0]) or None, int(words[1]) or None)


def _text(name: str, encoded: str) -> str | None:
    try:
        content = base64.b64decode(encoded, validate=True)
        text = content.decode()
    except ValueError:
        return None
    is_whole = not _SHA256.fullmatch(name) or hashlib.sha256(content).hexdigest() == name
    return text if text and is_whole else None


def _holes(read: list[Observation | Lost | None]) -> Iterator[Lost]:
    """The times that damaged lines leave unknown: from the line before to the line after."""
    before: Observation | None = None
    for index, line in enumerate(read):
        if isinstance(line, Observation):
            before = line
        elif line is None:
            behind = next((each for each in read[index:] if isinstance(each, Observation)), None)
            ends = (before.last if before else None, behind.first if behind else None)
            # Where a clock was set back, the line behind may be of an earlier time.
            yield Lost(*ends) if None in ends else Lost(min(filter(None, ends)), max(filter(None, ends)))
