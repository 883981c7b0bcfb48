"""The proof that events arrive, with which ``up`` ends. No resource: it belongs to the run, not to the stack."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi

from auditlog.nodes.facts import Facts
from auditlog.nodes.ssh import Account
from auditlog.proof.prove import prove_nodes
from auditlog.proof.tasks import DROPPED, Task
from auditlog.proof.verdict import Failure, Proven, kept_outputs
from auditlog.settings import Settings
from components import outcome
from components.change import Change
from components.engine_requests import engine_has_answered
from components.scope import Scope

_HEADING = "Events do not arrive as they should; the nodes stay as they are now."
_NOT_MADE: Mapping[str, Any] = {"notProven": "no update that changed the node has made the proof yet"}


@dataclass(frozen=True, slots=True)
class Applied:
    """What a run applies, as far as events go another way afterwards.

    ``nodes`` are the changes of the control-plane nodes by name. ``shipping`` is Alloy's change, None without Alloy.
    ``after`` are the resources that must be done before an event can be looked for.
    """

    nodes: Mapping[str, Change]
    shipping: Change | None
    after: Sequence[pulumi.Resource]

    def concerns(self, node: str) -> bool:
        """Whether the run changes something on the way of this node's events. To be asked once all is done."""
        return self.nodes[node].happens or (self.shipping is not None and self.shipping.happens)


def proof_of(
    tasks: Sequence[Task] | str,
    settings: Settings,
    facts: Mapping[str, Facts],
    account: Account,
    applied: Applied,
    scope: Scope,
) -> Mapping[str, Any]:
    """The stack's output of that name, by node. ``tasks`` are those of all nodes, or why none can be made.

    An update proves the nodes that it changes; all of them if it changes Alloy. It fails where an event did not arrive,
    and the output says so too. The other nodes keep the outputs of their last proof, as all do in ``destroy`` and
    ``refresh``. In a preview the outputs are unknown where ``up`` will make them.
    """
    if isinstance(tasks, str):
        (pulumi.log.warn if tasks == DROPPED else pulumi.log.info)(f"up does not prove that events arrive: {tasks}")
        return {node: {"notProven": tasks} for node in applied.nodes}
    kept = {task.node.name: kept_outputs(facts[task.node.name].proof) or _NOT_MADE for task in tasks}
    done: pulumi.Output[Any] = pulumi.Output.all(*(resource.urn for resource in applied.after))
    if pulumi.runtime.is_dry_run():
        return {name: done.apply(_foreseen(name, outputs, applied)) for name, outputs in kept.items()}

    async def prove(_: object) -> Mapping[str, Proven | Failure]:
        due = [task for task in tasks if applied.concerns(task.node.name)]
        return await prove_nodes(due, settings, account) if due else {}

    found: pulumi.Output[Mapping[str, Proven | Failure]] = done.apply(prove)
    is_program = scope.parent is None
    told: pulumi.Output[Mapping[str, Proven | Failure]] = found
    if is_program:
        report = partial(_report, outputs_taken=engine_has_answered, end=outcome.end_with_one_message)
        reported: pulumi.Output[Mapping[str, Proven | Failure]] = found.apply(report)
        del reported
    else:
        # A component fails by its outputs: an error elsewhere would not reach the process that has it constructed.
        told = found.apply(_report)
    return {name: told.apply(_made(name, outputs)) for name, outputs in kept.items()}


def unread_proof(settings: Settings) -> Mapping[str, Any]:
    """The output in a preview that reads no node, where each keeps the note of its last proof: unknown."""
    return {node.name: pulumi.UNKNOWN for node in settings.nodes_with_manifest}


def _foreseen(name: str, kept: Mapping[str, Any], applied: Applied) -> Callable[[object], Any]:
    return lambda _: pulumi.UNKNOWN if applied.concerns(name) else kept


def _made(name: str, kept: Mapping[str, Any]) -> Callable[[Mapping[str, Proven | Failure]], Mapping[str, Any]]:
    return lambda results: results[name].outputs() if name in results else kept


async def _report(
    results: Mapping[str, Proven | Failure],
    outputs_taken: Callable[[], Awaitable[None]] | None = None,
    end: Callable[[], None] = lambda: None,
) -> Mapping[str, Proven | Failure]:
    """The results again, after everybody has got them. Raises RunError for those that fail the update.

    Before that it waits for ``outputs_taken``. Outputs that the engine has not taken before the program fails are lost,
    and the last update's too. ``end`` prepares the end of a process that is this project's own program.
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
        if outputs_taken is not None:
            await outputs_taken()
        end()
        raise pulumi.RunError("\n".join([_HEADING, *failed]))
    return results
