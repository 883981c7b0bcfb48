"""What the proof does on each node, or why it cannot be made there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditlog.nodes.facts import Facts
from auditlog.plan.marker import Marker, marker_of
from auditlog.plan.plan import Plan
from auditlog.policy.model import Policy
from auditlog.settings import Host, LogFormat, LogSettings, Settings

MARKER = "kubernetes-audit-proof"
"""How the name of a marker's object begins."""

DROPPED = "the policy drops every request that the proof could make"


@dataclass(frozen=True, slots=True)
class Task:
    """A request to one node's API server at ``endpoint``. Its event must get into ``log`` ("-": standard output).

    ``hostname`` is the node's own name, by which Kubernetes knows it.
    """

    node: Host
    hostname: str
    endpoint: str
    log: str
    marker: Marker


def proof_tasks(plan: Plan, settings: Settings, policy: Policy, facts: Mapping[str, Facts]) -> tuple[Task, ...] | str:
    """One task for each control-plane node of the plan, or why no event could be found on them."""
    log, marker = settings.log, marker_of(policy, MARKER)
    if log is None:
        return "events go to the webhook alone, where the stack cannot look"
    if log.format is LogFormat.LEGACY:
        return "the format of the log is legacy, which does not say what a request was for"
    if marker is None:
        return DROPPED
    return tuple(_task(node.node, facts[node.node.name], node.endpoint, log, marker) for node in plan.nodes)


def _task(node: Host, facts: Facts, endpoint: str, log: LogSettings, marker: Marker) -> Task:
    return Task(node, facts.hostname, endpoint, log.path, marker)
