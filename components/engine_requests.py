"""What this program has asked of the engine and not heard of yet."""

from __future__ import annotations

import asyncio

from pulumi.runtime.settings import _get_rpc_manager


async def engine_has_answered() -> None:
    """Waits until the engine has answered every request that is under way now, with an error or without.

    Registering the stack's outputs is one of them from the end of the program on; its outputs must not depend on who
    waits here. There is no public way to wait for it: ``export`` and ``register_outputs`` return nothing.
    """
    await asyncio.gather(*_get_rpc_manager().rpcs, return_exceptions=True)
