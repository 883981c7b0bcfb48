"""Whether this run changes a resource, which a program otherwise does not hear from the engine."""

from __future__ import annotations

from pulumi import ResourceHook, ResourceHookArgs, ResourceHookBinding, ResourceHookOptions

from components.scope import Scope


class Change:
    """Set once the engine creates or updates one of the resources that have ``hooks``; in previews, once it would.

    The engine calls a hook for its own step, before the program gets the resource's outputs. It calls none for a
    resource that stays as it is or is not among the targets, and none in ``destroy`` and ``refresh``.
    """

    happens: bool
    hooks: ResourceHookBinding

    def __init__(self, name: str, scope: Scope) -> None:
        self.happens = False
        hook = ResourceHook(scope.name(f"{name}-changes"), self._note, ResourceHookOptions(on_dry_run=True))
        self.hooks = ResourceHookBinding(after_create=[hook], after_update=[hook])

    def _note(self, _: ResourceHookArgs) -> None:
        self.happens = True
