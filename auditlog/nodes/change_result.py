"""What a change of a node came to: the last line that ``node/transaction.sh`` prints."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

_PREFIX = "result "


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """How the API server was restarted, and what it took.

    ``outage_seconds`` is how long the API did not answer under the node's address. A gap lasts from the first question
    without an answer to the next answer; all gaps count. ``marker`` is the event that was found, and where; "" if the
    policy or the backends allow none.
    """

    mode: str
    outage_seconds: float
    rehearsed: bool
    backup: str
    marker: str

    def outputs(self) -> dict[str, str | float | bool]:
        """As the stack's outputs hold it."""
        return {
            "restart": self.mode,
            "outageSeconds": self.outage_seconds,
            "rehearsed": self.rehearsed,
            "backup": self.backup,
            "marker": self.marker,
        }


class _Line(msgspec.Struct, rename="camel"):
    mode: str
    outage_seconds: float
    rehearsed: bool
    backup: str
    marker: str


def parse_result(output: str) -> ChangeResult | None:
    """The result in what a change of a node printed; None where it changed nothing, or was of an earlier version."""
    for line in reversed(output.splitlines()):
        if line.startswith(_PREFIX):
            try:
                read = msgspec.json.decode(line.removeprefix(_PREFIX), type=_Line)
            except msgspec.DecodeError:
                return None
            return ChangeResult(read.mode, read.outage_seconds, read.rehearsed, read.backup, read.marker)
    return None
