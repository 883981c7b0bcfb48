"""Whether an entry of ``nodes`` has the machine's own name."""

from __future__ import annotations

from collections.abc import Iterator

from auditlog.checks.finding import Finding, Severity
from auditlog.nodes.facts import Facts


def name_findings(entry: str, facts: Facts, owner: str) -> Iterator[Finding]:
    """An error for an entry that the stack does not have yet, else a warning.

    Nothing where the installed script does not report the machine's name.
    """
    own = facts.node_name
    if own is None or own == entry:
        return
    what = f"this machine is the node {own!r} of its cluster, and nodes calls it {entry!r}"
    consequence = "resources, outputs and labels name another machine"
    if facts.owner == owner and facts.entry in (None, entry):
        remedy = f"write name: {own} instead; nothing on the node changes by that"
        yield Finding("node-name-differs", what, consequence, Severity.WARNING, remedy)
    else:
        yield Finding("wrong-node-name", what, consequence, Severity.ERROR, f"write name: {own}")
