"""The policy of that hour: which policy was in force on which node, from when, and how well that is known.

A node's history holds observations: a policy file, when it was last changed, and when the API server started that ran.
An API server reads its policy once, when it starts. So a file that is older than the process is the policy of this
process, from its start for as long as it was seen to run. Between two processes nobody looked.
"""

from __future__ import annotations

import base64
import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from auditlog.errors import AuditlogError
from auditlog.policy.model import Policy

HISTORY = "history:"
"""How `--policy` names a kept history."""

FORMAT = 1
ABSENT = "absent"
NO_POLICY = Policy(rules=(), source="no policy")
"""An API server without a policy records nothing."""

HANDOVER_SECONDS = 600
"""A change of the stack looks before and after itself, and takes no longer between the two."""


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
    """When the API server started that ran."""
    by: str
    """Who looked: stack, found, removed, archive, now."""


@dataclass(frozen=True, slots=True)
class Period:
    """What was in force on a node from `start` until before `end`; None is open."""

    node: str
    start: datetime | None
    end: datetime | None
    policies: tuple[Policy, ...]
    """One that is known; several of which it was one; none where nothing is known."""
    unknown: str = ""
    """Why it is not known for certain; "" where it is."""


@dataclass(frozen=True, slots=True)
class PolicyHistory:
    """The periods of every node, without a hole between them."""

    periods: Mapping[str, tuple[Period, ...]] = field(default_factory=dict)

    def of(self, node: str) -> tuple[Period, ...]:
        """The periods of a node as a log names it; a store puts the cluster's name in front."""
        return self.periods.get(node, ()) or self.periods.get(node.rpartition("/")[2].lower(), ())

    def at(self, node: str, moment: datetime) -> tuple[Policy, ...]:
        """What may have been in force then; nothing where nobody knows."""
        periods = self.of(node)
        index = bisect_right(periods, moment, key=lambda each: each.start or _BEGINNING) - 1
        return periods[index].policies if index >= 0 else ()

    def within(self, node: str, since: datetime, until: datetime) -> Iterator[Period]:
        """The periods that a range of time touches."""
        for period in self.of(node):
            if (period.end is None or period.end > since) and (period.start is None or period.start <= until):
                yield period


_BEGINNING = datetime.min.replace(tzinfo=UTC)


def history_of(observations: Iterable[Observation], texts: Mapping[str, Policy]) -> PolicyHistory:
    """The periods that observations tell. `texts` has the policies by the SHA-256 of their text."""
    by_node: dict[str, list[Observation]] = {}
    for each in observations:
        by_node.setdefault(each.node, []).append(each)
    known = {**texts, ABSENT: NO_POLICY}
    return PolicyHistory({node: tuple(_periods(node, seen, known)) for node, seen in by_node.items()})


def read_history(told: Mapping[str, str], policy_of: Callable[[str, str], Policy]) -> PolicyHistory:
    """The history that nodes tell (`policies` of `node/log_files.sh`), by node. `policy_of` reads a text, with a name.

    Raises:
        HistoryError: a line is none of a history.
    """
    texts: dict[str, Policy] = {}
    seen: list[Observation] = []
    for node, lines in told.items():
        for number, line in enumerate(lines.splitlines(), 1):
            words = line.split()
            try:
                if words[0] == "text":
                    _, name, encoded = words
                    if name not in texts:
                        texts[name] = policy_of(
                            base64.b64decode(encoded, validate=True).decode(), f"policy {name[:12]}"
                        )
                else:
                    _, first, last, policy, changed, started, by = words
                    seen.append(Observation(node, int(first), int(last), policy, int(changed), int(started), by))
            except (ValueError, IndexError) as problem:
                raise HistoryError(
                    f"the policy history of {node}, line {number} of what it tells, is damaged ({problem}); --policy "
                    "says which policy was in force instead"
                ) from problem
    return history_of(seen, texts)


def read_kept(path: Path) -> dict[str, str]:
    """What `keep` wrote: what nodes told, by node. Raises HistoryError where the file is none of that."""
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
    """A file for `read_kept`, with what was kept earlier and what nodes tell now.

    What they say of now stays as an observation of this moment: an edit by hand between two runs is known to have
    happened after the first of them.
    """
    nodes: dict[str, list[str]] = {}
    for node in dict.fromkeys((*earlier, *told)):
        texts: dict[str, None] = {}
        seen: dict[tuple[str, ...], tuple[int, int]] = {}
        for line in f"{earlier.get(node, '')}\n{told.get(node, '')}".splitlines():
            words = line.split()
            if words[:1] == ["text"]:
                texts[line] = None
            elif words[:1] == ["observation"]:
                what = (*words[3:-1], "seen" if words[-1] == "now" else words[-1])
                first, last = seen.get(what, (int(words[1]), int(words[2])))
                seen[what] = min(first, int(words[1])), max(last, int(words[2]))
        lines = [f"observation {first} {last} {' '.join(what)}" for what, (first, last) in seen.items()]
        nodes[node] = [*texts, *lines]
    return json.dumps({"format": FORMAT, "nodes": nodes}, indent=1) + "\n"


class HistoryError(AuditlogError):
    """A history that cannot be read; the message names node and line."""


@dataclass(slots=True)
class _Run:
    """One API server process, or one look that does not tell which process ran."""

    start: int
    end: int
    policy: str
    """"" where the file was changed after the process had started, before anybody looked."""
    first_by: str
    last_by: str


def _periods(node: str, seen: list[Observation], texts: Mapping[str, Policy]) -> Iterator[Period]:
    runs = _runs(seen)
    if not runs:
        return
    yield Period(node, None, _moment(runs[0].start), (), "nobody had looked yet")
    for index, run in enumerate(runs):
        following = runs[index + 1] if index + 1 < len(runs) else None
        if run.end > run.start:
            policy = texts.get(run.policy)
            unknown = "" if policy else _why_unknown(run)
            yield Period(node, _moment(run.start), _moment(run.end), (policy,) if policy else (), unknown)
        if following is None:
            yield Period(node, _moment(run.end), None, (), "nobody has looked since")
        elif following.start > run.end:
            yield _between(node, run, following, texts)


def _runs(seen: list[Observation]) -> list[_Run]:
    """The processes in the order of their starts; looks without a process stand for themselves."""
    processes: dict[int, _Run] = {}
    looks: list[_Run] = []
    for each in sorted(seen, key=lambda each: (each.last, each.first)):
        if not each.started:
            looks.append(_Run(each.first, each.last + 1, each.policy, each.by, each.by))
            continue
        # The kernel counts seconds from the boot, whose time may be told one second apart.
        key = next((start for start in processes if abs(start - each.started) <= 1), each.started)
        policy = each.policy if each.changed <= key or each.policy == ABSENT else ""
        run = processes.get(key)
        if run is None:
            processes[key] = _Run(key, each.last + 1, policy, each.by, each.by)
            continue
        run.end, run.last_by, run.policy = max(run.end, each.last + 1), each.by, run.policy or policy
    ordered = sorted((*processes.values(), *looks), key=lambda run: (run.start, run.end))
    for earlier, later in pairwise(ordered):
        earlier.end = min(earlier.end, later.start)
    return ordered


def _between(node: str, run: _Run, following: _Run, texts: Mapping[str, Policy]) -> Period:
    policies = tuple(dict.fromkeys(texts[name] for name in (run.policy, following.policy) if name in texts))
    by_stack = run.last_by == "found" and following.first_by in ("stack", "removed")
    if by_stack and len(policies) > 0 and following.start - run.end <= HANDOVER_SECONDS:
        return Period(node, _moment(run.end), _moment(following.start), policies)
    return Period(
        node, _moment(run.end), _moment(following.start), policies, "the API server was started anew unobserved"
    )


def _why_unknown(run: _Run) -> str:
    if not run.policy:
        return "the policy file was changed after the API server had read it, and nobody had looked before"
    return "the text of the policy was not kept"


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
