"""Whether this run changes a resource, which a program otherwise does not hear from the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pulumi import ResourceHook, ResourceHookArgs, ResourceHookBinding, ResourceHookOptions

from components.scope import Scope


class Change:
    """Set once the engine creates or updates one of the resources that have ``hooks``; in previews, once it would.

    The engine calls a hook for its own step, before the program gets the resource's outputs. It calls none for a
    resource that stays as it is or is not among the targets, and none in ``destroy`` and ``refresh``.

    ``first`` is done before the engine changes the first of them, and in no preview. Where it fails, nothing changes.
    """

    happens: bool
    hooks: ResourceHookBinding

    def __init__(self, name: str, scope: Scope, first: Callable[[], Awaitable[None]] | None = None) -> None:
        self.happens = False
        hook = ResourceHook(scope.name(f"{name}-changes"), self._note, ResourceHookOptions(on_dry_run=True))
        self.hooks = ResourceHookBinding(after_create=[hook], after_update=[hook])
        if first is not None:
            self._first: asyncio.Future[None] | None = None
            before = ResourceHook(scope.name(f"{name}-before"), self._do_first(first), ResourceHookOptions())
            self.hooks.before_create = self.hooks.before_update = [before]

    def _note(self, _: ResourceHookArgs) -> None:
        self.happens = True

    def _do_first(self, first: Callable[[], Awaitable[None]]) -> Callable[[ResourceHookArgs], Awaitable[None]]:
        async def before(_: ResourceHookArgs) -> None:
            # The engine changes several at once.
            if self._first is None:
                self._first = asyncio.ensure_future(first())
            await self._first

        return before
