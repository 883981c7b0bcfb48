"""The proof that events arrive, with which ``up`` ends. No resource: it belongs to the run, not to the stack."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from auditlog.apiserver.facts import Facts
from auditlog.apiserver.plan import Plan
from auditlog.policy.model import Policy
from auditlog.proof.prove import prove_nodes
from auditlog.proof.tasks import DROPPED, proof_tasks
from auditlog.proof.verdict import Failure, Proven, kept_outputs
from auditlog.settings import Settings
from auditlog.ssh import Account
from components import outcome
from components.scope import Scope

_HEADING = "Events do not arrive as they should; the nodes stay as they are now."
_OUTPUTS_SECONDS = 1


def proof_of(
    plan: Plan,
    settings: Settings,
    policy: Policy,
    facts: Mapping[str, Facts],
    account: Account,
    after: Sequence[pulumi.Resource],
    scope: Scope,
) -> Mapping[str, Any] | pulumi.Output[Mapping[str, Any]]:
    """The stack's output of that name: made in ``up`` when ``after`` are done, in previews that of the last ``up``.

    The update fails where an event did not arrive, and the output says so too.
    """
    tasks = proof_tasks(plan, settings, policy, facts)
    if isinstance(tasks, str):
        (pulumi.log.warn if tasks == DROPPED else pulumi.log.info)(f"up does not prove that events arrive: {tasks}")
        return {node.node.name: {"notProven": tasks} for node in plan.nodes}
    if pulumi.runtime.is_dry_run():
        kept = {node.node.name: kept_outputs(facts[node.node.name].proof) for node in plan.nodes}
        return {name: outputs for name, outputs in kept.items() if outputs is not None}

    async def prove(_: object) -> Mapping[str, Proven | Failure]:
        return await prove_nodes(tasks, settings, account)

    done: pulumi.Output[Any] = pulumi.Output.all(*(resource.urn for resource in after))
    found: pulumi.Output[Mapping[str, Proven | Failure]] = done.apply(prove)
    is_program = scope.parent is None
    reported: pulumi.Output[Mapping[str, Proven | Failure]] = found.apply(lambda each: _report(each, is_program))
    # A component that another process constructs fails by its outputs alone.
    told = found if is_program else reported
    return told.apply(lambda results: {name: result.outputs() for name, result in results.items()})


def unread_proof(settings: Settings) -> Mapping[str, Any]:
    """The output in a preview that reads no node, where each keeps the note of its last proof."""
    return {node.name: {"notProven": "not read"} for node in settings.nodes_with_manifest}


async def _report(results: Mapping[str, Proven | Failure], is_program: bool) -> Mapping[str, Proven | Failure]:
    """The results again, after everybody has been told. Raises RunError for those that fail the update.

    ``is_program`` tells whether this process is the program itself, which ends with that error.
    """
    failed = []
    for name, result in results.items():
        if isinstance(result, Proven):
            pulumi.log.info(f"{name}: {result.sentence}")
        elif result.expected:
            pulumi.log.warn(f"{name}: {result.message}")
        else:
            failed.append(f"{name}: {result.message}")
    if failed:
        # Outputs that the engine has not taken before the program fails are lost, and those of the last update too.
        await asyncio.sleep(_OUTPUTS_SECONDS)
        if is_program:
            outcome.end_with_one_message()
        raise pulumi.RunError("\n".join([_HEADING, *failed]))
    return results
