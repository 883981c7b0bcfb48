"""The rows as a table for people and as JSON for programs; what has to be looked at comes first."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence

from auditlog.events.layout import safe, table
from auditlog.fleet.row import Audit, Drift, Row
from auditlog.units import DAY, HOUR, MINUTE

HEADER = ("CLUSTER", "AUDIT", "POLICY", "DRIFT", "EVENT", "DISK", "BLIND", "KUBE", "NODES")
_MOST_FINDINGS = 3
_UNKNOWN = "?"


def in_order(rows: Sequence[Row]) -> list[Row]:
    """What is found first, then what cannot be known, then the rest; each by name."""
    return sorted(rows, key=lambda row: (row.urgency, row.cluster))


def text_report(rows: Sequence[Row], width: int | None = None) -> str:
    """One row for each cluster, below it what to look at, and a count at the end."""
    ordered = in_order(rows)
    lines = list(table(HEADER, map(cells, ordered), width=width))
    told = [row for row in ordered if row.urgency < 2]
    if told:
        lines.append("")
    for row in told:
        findings = [*row.findings, *row.problems]
        for finding in findings[:_MOST_FINDINGS]:
            text = f"{row.cluster}: {safe(finding)}"
            lines += [text] if width is None else textwrap.wrap(text, width, subsequent_indent="  ")
        if len(findings) > _MOST_FINDINGS:
            lines.append(f"{row.cluster}: and {len(findings) - _MOST_FINDINGS} more (-o json has all)")
    return "\n".join([*lines, "", counted(rows), ""])


def cells(row: Row) -> tuple[str, ...]:
    """What each column says; a question mark where it cannot be known."""
    return (
        row.cluster,
        _UNKNOWN if row.audit is Audit.UNKNOWN else row.audit.value,
        (row.policy or _UNKNOWN).removeprefix("preset ").replace(", changed by the stack", "+"),
        _UNKNOWN if row.drift is Drift.UNKNOWN else row.drift.value,
        _ago(row.silent_seconds),
        _UNKNOWN if row.days is None else f"{row.days:.0f}d" if row.days >= 1 else f"{row.days * 24:.0f}h",
        _UNKNOWN if row.blind is None or (row.blind == () and not row.reached) else str(len(row.blind)),
        ",".join(row.kubernetes) or _UNKNOWN,
        f"{row.reached}/{row.nodes}",
    )


def counted(rows: Sequence[Row]) -> str:
    """How many clusters there are of each kind, in one line."""
    found, unknown = (sum(row.urgency == urgency for row in rows) for urgency in (0, 1))
    parts = [f"{len(rows)} cluster{'' if len(rows) == 1 else 's'}"]
    parts.append(f"{len(rows) - found - unknown} as they should be")
    parts += [f"{found} to look at"] if found else []
    parts += [f"{unknown} not known in full"] if unknown else []
    old = sum(bool(row.old_scripts) for row in rows)
    parts += [f"{old} with node scripts of another version"] if old else []
    return ", ".join(parts)


def json_report(rows: Sequence[Row]) -> str:
    """One object with every row and every finding."""
    return json.dumps({"clusters": [value(row) for row in in_order(rows)]}, indent=2, ensure_ascii=False) + "\n"


def value(row: Row) -> dict[str, object]:
    """One row for programs; null where it cannot be known."""
    return {
        "stack": row.stack,
        "cluster": row.cluster,
        "audit": None if row.audit is Audit.UNKNOWN else row.audit.value,
        "wanted": row.wanted,
        "policy": row.policy,
        "drift": None if row.drift is Drift.UNKNOWN else row.drift.value,
        "differences": list(row.differences),
        "secondsSinceLastEvent": row.silent_seconds,
        "daysOfDisk": row.days,
        "blindDetections": None if row.blind is None or not row.reached else list(row.blind),
        "kubernetes": list(row.kubernetes),
        "nodesWithOldScripts": list(row.old_scripts),
        "nodes": row.nodes,
        "nodesReached": row.reached,
        "findings": list(row.findings),
        "problems": list(row.problems),
    }


def exit_code(rows: Sequence[Row]) -> int:
    """0: all is well; 1: there is something to look at; 2: there is not, and a part cannot be known."""
    urgencies = {row.urgency for row in rows}
    return 1 if 0 in urgencies else 2 if 1 in urgencies else 0


def _ago(seconds: int | None) -> str:
    if seconds is None:
        return _UNKNOWN
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"


def details(row: Row) -> Iterator[str]:
    """What there is to say about a cluster besides its row."""
    yield from row.findings
    yield from row.problems
    if row.old_scripts:
        yield f"node scripts of another version: {', '.join(row.old_scripts)}"
