"""The outputs of a stack: what `pulumi stack output` and a StackReference give, and a component in another program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TEXT: Mapping[str, Any] = {"type": "string"}
TEXTS: Mapping[str, Any] = {"type": "array", "items": TEXT}

TYPES: Mapping[str, Mapping[str, Any]] = {
    "NodeState": {
        "type": "object",
        "description": "What the stack knows of one node.",
        "properties": {
            "host": {**TEXT, "description": "The node's address, as configured."},
            "state": {**TEXT, "description": "Why nothing else is known: gone, prepared to join, not a target."},
            "manifestSha256": {**TEXT, "description": "The hash of the kube-apiserver manifest."},
            "policySha256": {**TEXT, "description": "The hash of the audit policy."},
            "policyFile": {**TEXT, "description": "The policy file on the node."},
            "logFile": {**TEXT, "description": "The log on the node; empty without one."},
            "restart": {**TEXT, "description": "How the last change restarted the API server."},
            "outageSeconds": {"type": "number", "description": "How long the node's API did not answer meanwhile."},
            "rehearsed": {"type": "boolean", "description": "Whether the change was rehearsed first."},
            "backup": {**TEXT, "description": "The copy of the manifest from before the change, on the node."},
            "marker": {**TEXT, "description": "The event that was found after the change, and where."},
        },
        "required": ["host"],
    },
    "NodeProof": {
        "type": "object",
        "description": "The proof that events of one node arrive, or why there is none.",
        "properties": {
            "auditID": {**TEXT, "description": "The event that was found."},
            "at": {**TEXT, "description": "When the request was made, or given up (ISO 8601)."},
            "logSeconds": {"type": "number", "description": "After how many seconds the event was in the log."},
            "lokiSeconds": {"type": "number", "description": "After how many seconds the event was in Loki."},
            "failed": {**TEXT, "description": "Where an event stopped that should have arrived."},
            "notProven": {**TEXT, "description": "Why no proof was made."},
        },
        "required": [],
    },
}
"""The types that ``shape`` refers to, by their names."""


def _type(name: str) -> Mapping[str, Any]:
    return {"$ref": f"#/types/kubernetes-audit:index:{name}"}


def _by_name(shape: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "object", "additionalProperties": shape}


@dataclass(frozen=True, slots=True)
class Output:
    """One output by its name, and what it is.

    ``shape`` is its JSON Schema, in the words that a Pulumi package schema has too. ``always``: it is never null.
    """

    name: str
    about: str
    shape: Mapping[str, Any]
    always: bool = True


OUTPUTS = (
    Output("cluster", "The cluster's name, as configured.", TEXT),
    Output(
        "policy",
        "`source`: where the audit policy comes from; `sha256` of its text. Empty if the stack audits no node.",
        _by_name(TEXT),
    ),
    Output(
        "nodes",
        "By node name: its host, the hashes of manifest and policy, and the outcome of its last change.",
        _by_name(_type("NodeState")),
    ),
    Output(
        "logPath",
        "The log on the nodes; null if events go to standard output or to the webhook alone.",
        TEXT,
        always=False,
    ),
    Output("queries", "LogQL by question; replace NAME with what you look for.", _by_name(TEXT)),
    Output(
        "onNodeSearch",
        "The command that searches the log on a node, without Loki; null without a log.",
        TEXT,
        always=False,
    ),
    Output(
        "dashboards",
        "By uid: the title and the path of each Grafana dashboard; empty with mode off.",
        _by_name(_by_name(TEXT)),
    ),
    Output(
        "ruleGroups",
        "The names of the rule groups for `loki` and for `prometheus`; empty without alerts.",
        _by_name(TEXTS),
    ),
    Output(
        "proof",
        "By node: the `auditID` and time of the event that proved its last change. Also the seconds until it was in "
        "the log and in Loki, or the reason for no proof. Only with `proof.enabled`.",
        _by_name(_type("NodeProof")),
        always=False,
    ),
    Output(
        "alloy",
        "How events are shipped: mode, namespace, and the snippet in that mode. Only if they are shipped.",
        _by_name(TEXT),
        always=False,
    ),
)
