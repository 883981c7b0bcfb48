"""Which policy a node's API server runs with, from the node's facts: what an account that only reads can tell.

The history that the node keeps lies beside its backups, where only root reads. Facts tell the moment: the file, when it
was changed, and when the process started. Kept by somebody who looks regularly, moments make a history, too.
"""

from __future__ import annotations

from auditlog.events.history_text import ABSENT, Observation, told_lines
from auditlog.manifest.desired import sha256
from auditlog.manifest.manifest import ManifestError, flag_value, node_path
from auditlog.nodes.fact_types import Process
from auditlog.nodes.facts import Facts
from auditlog.nodes.read_nodes import read_cluster
from auditlog.nodes.ssh import Access, completed
from auditlog.settings import Settings

UNREAD = "unread"
"""Stands for a policy whose file the facts do not have."""


def read_moments(settings: Settings, access: Access, moment: int) -> tuple[dict[str, str], list[str]]:
    """The policies in force on a stack's nodes at this moment, by node, and why a node does not answer.

    They are read with the stack's account that only reads, if it has one. Raises ReadError when the bastion lets nobody
    through.
    """
    found = completed(read_cluster(settings, access))
    told = {name: moment_of(name, facts, moment) for name, facts in found.items() if isinstance(facts, Facts)}
    return told, [facts for facts in found.values() if isinstance(facts, str)]


def moment_of(node: str, facts: Facts, moment: int) -> str:
    """The policy in force on a node at this moment, from its facts, as lines of a history.

    `auditlog.events.history_text.told_by` reads them.

    `moment` is in seconds since 1970, from before the node was asked: what was seen was so at that time for certain.
    """
    texts: dict[str, str] = {}
    seen = [_observed(node, facts, process, moment, texts) for process in facts.processes]
    return told_lines(texts, seen)


def _observed(node: str, facts: Facts, process: Process, moment: int, texts: dict[str, str]) -> Observation:
    # A node whose clock is ahead may have started it later than this machine's clock says.
    moment = max(moment, process.started)
    path = flag_value(process.arguments, "audit-policy-file")
    if not path:
        return Observation(node, moment, moment, ABSENT, 0, process.started, "now")
    policy = facts.policy if facts.policy_path in (None, _on_node(facts, path)) else None
    if policy is None:
        return Observation(node, moment, moment, UNREAD, 0, process.started, "now")
    name = sha256(policy.text)
    texts[name] = policy.text
    return Observation(node, moment, moment, name, policy.changed, process.started, "now")


def _on_node(facts: Facts, path: str) -> str:
    """Where the file is on the node that the process sees at `path`."""
    try:
        return (node_path(facts.manifest.text, path) if facts.manifest else None) or path
    except ManifestError:
        return path
