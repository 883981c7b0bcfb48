"""The node side's scripts on every node: what the other Commands call."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_command import remote

from auditlog.apiserver import node_scripts
from auditlog.apiserver.plan import Plan
from components.node_command import node_command


class NodeScripts(pulumi.ComponentResource):
    """Installs the scripts on each node.

    ``commands`` maps a node's name to its Command. A node that is in sync keeps the scripts it has: a new version of
    this program shows no diff until there is something to do.
    """

    commands: dict[str, remote.Command]

    def __init__(
        self,
        name: str,
        plan: Plan,
        connections: Mapping[str, remote.ConnectionArgs],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("kubernetes-audit:index:NodeScripts", name, None, opts)
        script = node_scripts.bundle()
        self.commands = {
            node.node.name: node_command(
                f"{node.node.name}-scripts",
                connections[node.node.name],
                parent=self,
                depends_on=(),
                apply=node_scripts.install_command(node.node.user, script, installed=node.scripts_sha256),
                delete=node_scripts.call(node.node.user, "uninstall"),
                stdin=script,
                ignore_changes=("create", "update", "stdin") if plan.keeps_scripts(node, script) else (),
            )
            for node in plan.nodes
        }
        self.register_outputs({})
