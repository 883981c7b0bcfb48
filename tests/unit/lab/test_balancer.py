"""haproxy's configuration: what it does when an API server goes."""

from __future__ import annotations

from pathlib import Path

from lab.balancer import configuration
from lab.state import plan

STATE = plan(Path("/lab"), kubernetes="1.36", version="v1.36.3", count=3, networks=(), sysctls={})


def test_every_node_is_a_server_and_a_refused_connection_goes_to_another() -> None:
    text = configuration(STATE.nodes)
    servers = [line.split()[1:] for line in text.splitlines() if line.startswith("    server ")]
    assert servers == [[node.name, f"{node.address}:6443"] for node in STATE.nodes]
    assert "\n    option redispatch 1\n" in text


def test_readiness_decides_about_new_connections_and_closes_none() -> None:
    text = configuration(STATE.nodes)
    assert "\n    option httpchk GET /readyz\n" in text
    (checks,) = [line for line in text.splitlines() if "default-server" in line]
    assert "check-ssl verify none inter 1s fastinter 500ms fall 3" in checks
    assert "shutdown-sessions" not in checks, "what a draining API server still works on would fail"
