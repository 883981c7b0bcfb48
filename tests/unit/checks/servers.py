"""API servers for checks to look at: that of a node as ``up`` leaves it, with one thing changed."""

from __future__ import annotations

import dataclasses

from auditlog.checks.api_server import ApiServer
from auditlog.nodes.facts import Facts
from tests.unit.plan.nodes import applied

LOG = "/var/log/kubernetes/audit/audit.log"


def server(*flags: str, without: str | None = None, minor: int = 36, facts: Facts | None = None) -> ApiServer:
    """The API server with these flags besides, and without the one of this name."""
    node = facts or applied()
    assert node.manifest is not None
    lines = [
        line
        for line in node.manifest.text.splitlines(keepends=True)
        if without is None or not line.startswith(f"    - --{without}=")
    ]
    text = "".join(lines)
    assert text.count("    image:") == 1
    return ApiServer.of(
        node, text.replace("    image:", "".join(f"    - {flag}\n" for flag in flags) + "    image:"), minor
    )


def edited(old: str, new: str, **facts: object) -> ApiServer:
    """The API server after a replacement in its manifest, on a node with these facts."""
    node = dataclasses.replace(applied(), **facts)  # type: ignore[arg-type]
    assert node.manifest is not None
    assert old in node.manifest.text
    return ApiServer.of(node, node.manifest.text.replace(old, new), 36)
