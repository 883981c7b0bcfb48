"""What a second API server takes of a node. The node's scripts are given the same numbers."""

from __future__ import annotations

PORTS = range(16443, 16449)
"""Where it listens: the first of them that is free. Its manifest is planned with the first."""
_MEMORY_PERCENT = 125
_MEMORY_RESERVE_KIBIBYTES = 262144
"""Beside ``_MEMORY_PERCENT`` of what the running one takes."""


def memory_needed(running_bytes: int) -> int:
    """Bytes that must be available where the running API server takes ``running_bytes``."""
    return running_bytes * _MEMORY_PERCENT // 100 + _MEMORY_RESERVE_KIBIBYTES * 1024


def shell_constants() -> str:
    """The numbers as the scripts in ``node/`` name them."""
    return (
        f'CANARY_PORTS="{" ".join(map(str, PORTS))}"\n'
        f"MEMORY_PERCENT={_MEMORY_PERCENT}\n"
        f"MEMORY_RESERVE={_MEMORY_RESERVE_KIBIBYTES}\n"
    )
