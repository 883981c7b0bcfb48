"""What a second API server takes: the plan and the node's scripts reckon alike."""

from __future__ import annotations

import subprocess

import pytest

from auditlog.nodes.second_api_server import PORTS, memory_needed, shell_constants

MEBIBYTE = 1024 * 1024


def in_shell(script: str) -> str:
    found = subprocess.run(["sh", "-c", shell_constants() + script], capture_output=True, text=True, check=True)
    return found.stdout.strip()


@pytest.mark.parametrize("mebibytes", [0, 7, 300, 1024])
def test_the_node_needs_the_memory_that_the_plan_needs(mebibytes: int) -> None:
    assert memory_needed(mebibytes * MEBIBYTE) == mebibytes * MEBIBYTE * 5 // 4 + 256 * MEBIBYTE
    kibibytes = in_shell(f"echo $(({mebibytes} * 1024 * MEMORY_PERCENT / 100 + MEMORY_RESERVE))")
    assert int(kibibytes) == memory_needed(mebibytes * MEBIBYTE) // 1024


def test_the_node_tries_the_planned_port_first() -> None:
    assert in_shell("echo $CANARY_PORTS").split() == [str(port) for port in PORTS]
    assert in_shell('echo "${CANARY_PORTS%% *}"') == str(PORTS[0])
