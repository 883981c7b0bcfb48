"""A plan whose texts are kept from view, because the program that gave them keeps them secret."""

from __future__ import annotations

from dataclasses import replace

from auditlog.plan.file_change import FileChange
from auditlog.plan.plan import Plan
from auditlog.plan.removal import RemovalPlan


def secret_plan(plan: Plan) -> Plan:
    """The plan with every text of a node and of kubeadm-config kept from view."""
    return replace(
        plan,
        nodes=tuple(
            replace(
                node,
                policy=_secret(node.policy),
                manifest=_secret(node.manifest),
                annotations=node.annotations.kept_from_view if node.annotations else None,
            )
            for node in plan.nodes
        ),
        kubeadm_config=_secret(plan.kubeadm_config),
        joining=tuple(
            replace(
                machine,
                policy=_secret(machine.policy),
                annotations=machine.annotations.kept_from_view if machine.annotations else None,
            )
            for machine in plan.joining
        ),
    )


def secret_removal(plan: RemovalPlan) -> RemovalPlan:
    """The same of a removal."""
    return replace(plan, changes=tuple((where, reasons, _secret(change)) for where, reasons, change in plan.changes))


def _secret(change: FileChange) -> FileChange:
    return replace(change, secret=True)
