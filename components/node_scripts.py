"""The node side's scripts on every node: what the other Commands call."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_command import remote

from auditlog.nodes import node_scripts
from auditlog.plan.node_plan import NodePlan
from auditlog.plan.plan import Plan
from auditlog.plan.preparation import PreparationPlan
from auditlog.plan.reasons import SCRIPTS_ANEW, TAKEN_OVER
from components.node_command import explain_hand_over, node_command, untouched_node_command
from components.scope import Scope


class NodeScripts(pulumi.ComponentResource):
    """Installs the scripts on each node.

    ``commands`` maps a node's name to its Command. A node that is in sync keeps its scripts: a new version of this
    program alone shows no diff. When there is something to do, the diff says that the scripts change, not their text.
    """

    TYPE = "kubernetes-audit:index:NodeScripts"
    commands: dict[str, remote.Command]

    def __init__(
        self,
        name: str,
        plan: Plan,
        connections: Mapping[str, remote.ConnectionArgs],
        scope: Scope,
    ) -> None:
        super().__init__(self.TYPE, scope.name(name), None, scope.options())
        script = node_scripts.bundle()
        self.commands = {}
        machines: list[NodePlan | PreparationPlan] = [*plan.nodes, *plan.joining]
        for node in machines:
            host = node.node
            keeps = plan.keeps_scripts(node, script)
            self.commands[host.name] = node_command(
                scope.name(f"{host.name}-scripts"),
                connections[host.name],
                parent=self,
                depends_on=(),
                apply=node_scripts.install_command(host.user, script, there_now=node.scripts_token),
                delete=node_scripts.uninstall_command(host.user, scope.owner),
                stdin=script,
                former=scope.former(node.former, "-scripts"),
                ignore_changes=("create", "update", "stdin") if keeps else (),
                hide_diffs=("stdin",),
            )
            explain_hand_over(host.name, node, scope, TAKEN_OVER, self.commands[host.name])
            if pulumi.runtime.is_dry_run() and not keeps and node.scripts_sha256 is not None:
                pulumi.log.info(f"{host.name}: {SCRIPTS_ANEW}", self.commands[host.name])
        for host in plan.gone:
            command_name = scope.name(f"{host.name}-scripts")
            untouched_node_command(command_name, connections[host.name], parent=self, forget=True)
        self.register_outputs({})
