"""The nodes' part of a cluster: audited, released, forgotten or left unread, by settings and facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_command import remote

from auditlog.annotations.model import Entry
from auditlog.annotations.render import static_manifests
from auditlog.detections.annotated import written_keys
from auditlog.nodes.facts import Facts
from auditlog.plan.digest import plan_digest
from auditlog.plan.plan import Plan, make_plan
from auditlog.plan.plan_error import PlanError
from auditlog.plan.removal import plan_removal
from auditlog.plan.secret_plan import secret_plan, secret_removal
from auditlog.policy.selection import SelectedPolicy
from auditlog.policy.validate import policy_as_read
from auditlog.proof.tasks import Task, proof_tasks
from auditlog.proof.verdict import DueProof, due_proof
from auditlog.review.decision import decide, decide_removal
from auditlog.settings import Settings
from components.configuration import Configuration
from components.control_plane import ControlPlane, audited_nodes, forgotten_nodes, released_nodes, unread_nodes
from components.declaration import hold_declared
from components.in_short import say_in_short
from components.node_command import diff_message
from components.plan_digest import check_plan_digest
from components.scope import Scope


@dataclass(frozen=True, slots=True)
class DeclaredNodes:
    """The nodes' resources, and how to prove that events arrive."""

    control_plane: ControlPlane
    """What the stack knows of the nodes."""
    tasks: Sequence[Task] | str = ()
    """One for each audited node, or why none can be made."""


def declare_nodes(
    configuration: Configuration,
    policy: SelectedPolicy,
    entries: Sequence[Entry],
    facts: Mapping[str, Facts] | None,
    connection: Mapping[str, remote.ConnectionArgs],
    kept: Sequence[str],
    depends_on: Sequence[pulumi.Resource],
    scope: Scope,
) -> DeclaredNodes:
    """Declares what the settings ask for on the nodes. Raises PlanError.

    ``facts`` is None where nodes are not read. ``kept`` are texts in the cluster, which the plan's digest covers too.
    ``depends_on`` is what has to be there before a node changes.
    """
    settings = configuration.settings
    if not settings.nodes_to_read:
        return DeclaredNodes(forgotten_nodes(settings, connection, scope))
    if facts is None:
        return DeclaredNodes(unread_nodes(settings, connection, scope))
    if not settings.enabled:
        return DeclaredNodes(_release(settings, facts, connection, kept, scope))
    static_policies = static_manifests(entries) if settings.annotations.in_files else ""
    plan = _plan(settings, policy.text, facts, scope.owner, static_policies)
    plan = secret_plan(plan) if scope.hides_texts else plan
    say_in_short(lambda: decide(plan, settings, facts), scope)
    check_plan_digest(plan_digest(plan, settings, kept), scope)
    with hold_declared(plan, configuration) as held:
        tasks = proof_tasks(plan, settings, policy_as_read(policy.text, policy.source), facts)
        due = {} if isinstance(tasks, str) or not settings.proof.enabled else _due_proofs(facts)
        nodes = audited_nodes(plan, settings, scope, connection, due, written_keys(entries), depends_on)
        held.until(nodes.last)
    return DeclaredNodes(nodes, tasks)


def _release(
    settings: Settings,
    facts: Mapping[str, Facts],
    connection: Mapping[str, remote.ConnectionArgs],
    kept: Sequence[str],
    scope: Scope,
) -> ControlPlane:
    removal = plan_removal(settings, facts, scope.owner)
    removal = secret_removal(removal) if scope.hides_texts else removal
    say_in_short(lambda: decide_removal(removal, settings, facts), scope)
    check_plan_digest(plan_digest(removal, settings, kept), scope)
    return released_nodes(removal, connection, scope)


def _due_proofs(facts: Mapping[str, Facts]) -> Mapping[str, DueProof]:
    found = {node: due_proof(each.proof, each.unproven) for node, each in facts.items()}
    return {node: due for node, due in found.items() if due is not None}


def _plan(settings: Settings, policy_text: str, facts: Mapping[str, Facts], owner: str, static_policies: str) -> Plan:
    """The plan. Raises PlanError, after a preview has shown what is known of it."""
    try:
        return make_plan(settings, policy_text, facts, owner, static_policies)
    except PlanError as error:
        if pulumi.runtime.is_dry_run():
            for edit in error.edits:
                pulumi.log.info(diff_message(edit.where, edit.change, edit.reasons))
        raise
