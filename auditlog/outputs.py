"""The outputs of a stack: what `pulumi stack output` and a StackReference give."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Output:
    """One output by its name, and what it is."""

    name: str
    about: str


OUTPUTS = (
    Output("cluster", "The cluster's name, as configured."),
    Output("policy", "`source`: where the audit policy comes from; `sha256` of its text."),
    Output(
        "nodes",
        "By the name of each control-plane node: its host, the hashes of manifest and policy, and what became of it.",
    ),
    Output("logPath", "The log on the nodes; null where events go to standard output or to the webhook alone."),
    Output("queries", "LogQL by the name of the question it answers; NAME stands for what you look for."),
    Output("onNodeSearch", "The command that searches the log on a node, without Loki; null where there is no log."),
    Output("dashboards", "By uid: the title and the path of each Grafana dashboard; empty with mode off."),
    Output("ruleGroups", "The names of the rule groups that go to `loki` and to `prometheus`; empty without alerts."),
    Output("alloy", "How events are shipped: mode and namespace, and the snippet in that mode; only where they are."),
)
