"""What a run of the ledger finds, and the verdict from that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from auditlog.ledger.marks import Mark


class Weight(StrEnum):
    """What a finding says about completeness."""

    LOSS = "loss"
    """Events are missing, doubled or altered somewhere."""
    UNKNOWN = "cannot be known"
    """What would show it is missing."""
    NOTE = "note"
    """Nothing is wrong."""


class Verdict(StrEnum):
    """What a run says."""

    COMPLETE = "complete"
    """Files and Loki hold the same events, and nothing that was seen earlier has changed."""
    LOSS = "loss"
    """Files and Loki differ, or something that was seen earlier has changed."""
    UNKNOWN = "cannot be known"
    """Nothing that can be compared is missing, and not everything can be compared."""

    @property
    def exit_code(self) -> int:
        """0, 1 or 3; 2 is left for errors."""
        return {"complete": 0, "loss": 1, "cannot be known": 3}[self.value]


EXIT_CODES = "Exit code 0: complete; 1: loss; 2: error; 3: cannot be known."
"""For help texts."""


class Kind(StrEnum):
    """What was found. The value is its name in JSON and in docs/guides/ledger.md."""

    NOT_SHIPPED = "not-shipped"
    MISSING_IN_LOKI = "missing-in-loki"
    LINE_TOO_LONG = "line-too-long"
    DOUBLED_IN_LOKI = "doubled-in-loki"
    DOUBLED_IN_FILES = "doubled-in-files"
    ALTERED = "altered"
    LINES_TAKEN_OUT = "lines-taken-out"
    FILE_CUT = "file-cut"
    LOG_EMPTIED = "log-emptied"
    ROTATION_GAP = "rotation-gap"
    DETACHED_FILE = "detached-file"
    NO_EVENT_LINES = "no-event-lines"
    DAMAGED_FILE = "damaged-file"
    OUT_OF_ORDER = "out-of-order"
    FEWER_THAN_COUNTED = "fewer-than-counted"
    MORE_THAN_COUNTED = "more-than-counted"
    CHAIN_EDITED = "chain-edited"
    CHAIN_BROKEN = "chain-broken"
    FILE_EDITED = "file-edited"
    FILE_RENAMED = "file-renamed"
    FILE_ADDED = "file-added"
    FILE_GONE = "file-gone"
    FILE_GONE_PERHAPS = "file-gone-perhaps"
    FILES_BEGIN_LATER = "files-begin-later"
    LOKI_BEGINS_LATER = "loki-begins-later"
    NOTHING_COMPARED = "nothing-compared"
    NODE_UNREADABLE = "node-unreadable"
    FILE_UNREADABLE = "file-unreadable"
    TOO_MANY_DIFFERENCES = "too-many-differences"
    COUNTED_TWICE = "counted-twice"
    UNDER_WAY = "under-way"
    COUNTER_NOT_COMPARED = "counter-not-compared"
    BODIES_TRUNCATED = "bodies-truncated"
    RETENTION = "retention"


_UNKNOWN = frozenset(
    {
        Kind.FILES_BEGIN_LATER,
        Kind.LOKI_BEGINS_LATER,
        Kind.NOTHING_COMPARED,
        Kind.NODE_UNREADABLE,
        Kind.FILE_UNREADABLE,
        Kind.FILE_GONE_PERHAPS,
    }
)
_NOTES = frozenset(
    {Kind.COUNTED_TWICE, Kind.UNDER_WAY, Kind.COUNTER_NOT_COMPARED, Kind.BODIES_TRUNCATED, Kind.RETENTION}
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found on one node."""

    node: str
    kind: Kind
    sentence: str
    """For people, without a full stop."""
    count: int = 0
    """How many events it is about; 0 if that is not known."""
    since: datetime | None = None
    until: datetime | None = None
    events: tuple[Mark, ...] = ()
    """The events one by one, if a side still holds them."""

    @property
    def weight(self) -> Weight:
        """How it counts in the verdict."""
        if self.kind in _UNKNOWN:
            return Weight.UNKNOWN
        return Weight.NOTE if self.kind in _NOTES else Weight.LOSS


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """Loss if there is any; else complete, unless something cannot be known."""
    weights = {finding.weight for finding in findings}
    if Weight.LOSS in weights:
        return Verdict.LOSS
    return Verdict.UNKNOWN if Weight.UNKNOWN in weights else Verdict.COMPLETE
