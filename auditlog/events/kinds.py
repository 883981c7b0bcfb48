"""Requests of one kind, with their bytes: the data that `tune` needs, gathered in the pass that counts a log.

A kind joins requests that no step of `tune` can tell apart. They have one caller, verb and resource. One rule of the
policy in force decides them, and they are kept for the same reasons. A log has hundreds of kinds, whatever its length.
Kinds beyond a fixed number are summed up. Their callers are incomplete then: nothing may be concluded about them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from auditlog.events.event import Event
from auditlog.policy.model import Level, Request, Stage

MOST_KINDS = 50_000
"""The most kinds that are kept. An API server with a thousand ServiceAccounts has some ten thousand."""

MOST_BLURRED = 50_000
"""The most callers that are remembered as incomplete. Beyond this number every caller counts as incomplete."""

NODES = "system:nodes"
"""The caller of every kubelet's requests: a group, because a policy names the group and not the nodes."""


class Mark(NamedTuple):
    """A reason why an event must not be lost, in words, and the level at which it still serves."""

    reason: str
    level: Level = Level.METADATA


class Kind(NamedTuple):
    """What the requests of a kind have in common."""

    caller: str
    """The user's name, or `NODES` for a kubelet; "" if authentication failed."""
    verb: str
    api_group: str
    resource: str
    """Empty for a request that is not for a resource."""
    subresource: str
    level: Level
    stage: Stage
    rule: int | None = None
    """The index of the rule that decides; None if no rule matches or there is no policy."""
    marks: tuple[Mark, ...] = ()


@dataclass(slots=True)
class Amount:
    """Events, their bytes with newlines, and how many of these bytes are bodies of requests and of responses."""

    events: int = 0
    bytes: int = 0
    request_bytes: int = 0
    response_bytes: int = 0

    def add(self, other: Amount) -> None:
        """Adds another amount."""
        self.events += other.events
        self.bytes += other.bytes
        self.request_bytes += other.request_bytes
        self.response_bytes += other.response_bytes


class Sample(NamedTuple):
    """The earliest request of a kind: its time as the log writes it, the request, and the client's own name."""

    moment: str
    request: Request
    user_agent: str = ""


@dataclass(slots=True)
class Entry:
    """How much a log has of a kind: in the part that `tune` fits on, and in the part that it tries the result on."""

    sample: Sample
    fitted: Amount = field(default_factory=Amount)
    tried: Amount = field(default_factory=Amount)

    def add(self, other: Entry) -> None:
        """Adds what another part of the log has of the same kind."""
        self.sample = min(self.sample, other.sample, key=lambda each: each.moment)
        self.fitted.add(other.fitted)
        self.tried.add(other.tried)


@dataclass(frozen=True, slots=True)
class KindSettings:
    """How requests are divided into kinds. Both fields go to other processes."""

    marks: Callable[[Event], tuple[Mark, ...]]
    """Returns the reasons why an event must not be lost."""
    boundaries: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """By node, when the part of the log begins that is tried on: a time as the log writes it."""


@dataclass(slots=True)
class Kinds:
    """The kinds of a log, or of a part of one."""

    entries: dict[Kind, Entry] = field(default_factory=dict)
    others_fitted: Amount = field(default_factory=Amount)
    """The sum of the kinds beyond `most`, in the part that is fitted on."""
    others_tried: Amount = field(default_factory=Amount)
    """The sum of the kinds beyond `most`, in the part that is tried on."""
    blurred: set[str] = field(default_factory=set)
    """The callers of the kinds beyond `most`."""
    all_blurred: bool = False
    """Whether these callers are too many to be named."""
    most: int = MOST_KINDS
    """The most entries."""

    def add(self, kind: Kind, amount: Amount, sample: Sample, *, tried: bool) -> None:
        """Adds events of a kind, either in the part that is tried on or in the part that is fitted on."""
        self._add(kind, Entry(sample, Amount(), amount) if tried else Entry(sample, amount))

    def merge(self, other: Kinds) -> None:
        """Adds the kinds of a later part."""
        for kind, entry in other.entries.items():
            self._add(kind, entry)
        self.others_fitted.add(other.others_fitted)
        self.others_tried.add(other.others_tried)
        self.all_blurred = self.all_blurred or other.all_blurred
        for caller in sorted(other.blurred):
            self._blur(caller)

    def is_blurred(self, caller: str) -> bool:
        """Whether something of this caller is not among the entries."""
        return self.all_blurred or caller in self.blurred

    def _add(self, kind: Kind, entry: Entry) -> None:
        known = self.entries.get(kind)
        if known is not None:
            known.add(entry)
        elif len(self.entries) < self.most:
            self.entries[kind] = Entry(entry.sample)
            self.entries[kind].add(entry)
        else:
            self.others_fitted.add(entry.fitted)
            self.others_tried.add(entry.tried)
            self._blur(kind.caller)

    def _blur(self, caller: str) -> None:
        if len(self.blurred) < MOST_BLURRED:
            self.blurred.add(caller)
        else:
            self.all_blurred = True


def caller_of(user: str, groups: tuple[str, ...]) -> str:
    """Who a kind's requests come from: nodes together, everybody else by name."""
    return NODES if NODES in groups and user.startswith("system:node:") else user
