"""Reads the outputs of an audit-logging stack, and makes of them what the people on call open first.

``pulumi config set auditStack organization/kubernetes-audit/prod`` says which stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi


def dashboard_links(grafana: str, dashboards: Mapping[str, Any]) -> dict[str, str]:
    """The address of each dashboard, by its title."""
    return {each["title"]: f"{grafana.rstrip('/')}{each['path']}" for each in dashboards.values()}


def nodes_by_policy(nodes: Mapping[str, Any]) -> dict[str, list[str]]:
    """The nodes that run each policy, by its hash: one entry while they agree. Nodes that are gone run none."""
    found: dict[str, list[str]] = {}
    for name, node in sorted(nodes.items()):
        if "policySha256" in node:
            found.setdefault(node["policySha256"], []).append(name)
    return found


config = pulumi.Config()
audit = pulumi.StackReference(config.require("auditStack"))
grafana = config.require("grafana")

pulumi.export("cluster", audit.require_output("cluster"))
pulumi.export("dashboards", audit.require_output("dashboards").apply(lambda found: dashboard_links(grafana, found)))
pulumi.export("whoDeleted", audit.require_output("queries").apply(lambda queries: queries["whoDeleted"]))
pulumi.export("withoutLoki", audit.require_output("onNodeSearch"))
pulumi.export("nodesByPolicy", audit.require_output("nodes").apply(nodes_by_policy))
