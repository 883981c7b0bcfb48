"""Locks the nodes that the program declares while ``up`` runs (``auditlog.nodes.declaration``)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pulumi

from auditlog.nodes.declaration import Declaration
from auditlog.nodes.ssh import Account
from auditlog.plan.plan import Plan
from components.configuration import Configuration


@dataclass(frozen=True, slots=True)
class Held:
    """The locks of this run, None if there are none."""

    declaration: Declaration | None

    def until(self, resources: Sequence[pulumi.Resource]) -> None:
        """Releases the locks once these resources are registered or have failed.

        The Automation API may run a destroy in the same process afterwards.
        """
        if self.declaration is not None:
            task = asyncio.get_running_loop().create_task(_all_over(resources))
            task.add_done_callback(lambda _: self.release())

    def release(self) -> None:
        """Releases the locks at once."""
        if self.declaration is not None:
            self.declaration.release()


@contextmanager
def hold_declared(plan: Plan, configuration: Configuration) -> Iterator[Held]:
    """Locks the nodes that this stack has changed before, in ``up`` only, and releases them if the block fails.

    Raises ReadError if one cannot be locked.
    """
    nodes = [node.node for node in plan.nodes if node.is_owned]
    held = Held(None)
    if nodes and not pulumi.runtime.is_dry_run():
        held = Held(Declaration(nodes, configuration.settings.bastion, Account(configuration.private_key)))
    try:
        yield held
    except BaseException:
        held.release()
        raise


async def _all_over(resources: Sequence[pulumi.Resource]) -> None:
    await asyncio.gather(*(resource.urn.future() for resource in resources), return_exceptions=True)
