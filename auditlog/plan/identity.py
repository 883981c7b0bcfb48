"""Which machine an entry of ``nodes`` stands for, and under which name the stack's resources of it stand until now.

An entry may be renamed, and a machine may come back under another address. Neither may take audit logging off: the
engine deletes whatever is no longer declared under its old name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from auditlog.nodes.facts import Facts
from auditlog.settings import Host


def taken_over(facts: Facts, owner: str, take_over: str | None) -> tuple[Facts, str | None]:
    """The facts as ``owner`` plans with them, and the owner that it takes the machine over from.

    The latter is None unless the machine is on record as that of ``take_over``. A record that is lost counts as that of
    ``owner``, unless what is left of it begins otherwise.
    """
    if facts.lost_owner is not None:
        return replace(facts, owner=owner if owner.startswith(facts.lost_owner) else facts.lost_owner), None
    if facts.owner is None or facts.owner == owner or facts.owner != take_over:
        return facts, None
    return replace(facts, owner=owner), facts.owner


def former_name(host: Host, facts: Facts, owner: str, configured: Collection[str]) -> str | None:
    """The name under which the stack may have had this machine: the recorded one, else the machine's own.

    None where that is today's name, where another entry has it, or where the machine is not the stack's.
    """
    before = facts.entry or facts.node_name
    if facts.owner != owner or before in (None, host.name) or before in configured:
        return None
    return before


def same_machines(nodes: Sequence[Host], facts: Mapping[str, Facts]) -> Iterator[str]:
    """One sentence for every machine that two entries lead to, by host key and the machine's own name."""
    entries: dict[tuple[str, str], list[str]] = defaultdict(list)
    for node in nodes:
        own = facts[node.name].node_name
        if own is not None:
            entries[(node.host_key, own)].append(node.name)
    for (_, own), names in entries.items():
        if len(names) > 1:
            yield f"{' and '.join(names)}: the entries lead to the same machine, the node {own!r}; list it once"
