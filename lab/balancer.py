"""The load balancer of a lab with several API servers: haproxy in separate network and PID namespaces."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Sequence

from lab import cgroups, network
from lab.host import which
from lab.namespaces import holder, launch
from lab.paths import Paths
from lab.state import LabState, Member, NodeState

_CONFIGURATION = """\
global
    log stdout format timed local0 notice

defaults
    log global
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout check 2s
    retries 3
    # A connection that one API server refuses goes to another at once, before the health check has noticed.
    option redispatch 1

frontend api
    bind :6443
    default_backend api-servers

backend api-servers
    balance roundrobin
    option httpchk GET /readyz
    # An API server that is no longer ready is draining: the requests it has are left to it.
    default-server check check-ssl verify none inter 1s fastinter 500ms fall 3 rise 2
"""


def configuration(nodes: Sequence[NodeState]) -> str:
    """haproxy's configuration for the API servers of ``nodes``."""
    return _CONFIGURATION + "".join(f"    server {each.name} {each.address}:6443\n" for each in nodes)


def ensure(paths: Paths, state: LabState, balancer: Member) -> None:
    """Start the load balancer unless it runs; a running one learns of new nodes and closes no connection for it."""
    file = paths.balancer / "haproxy.cfg"
    wanted = configuration(state.nodes)
    changed = not file.exists() or file.read_text() != wanted
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(wanted)
    pid = holder(balancer)
    if pid is None:
        haproxy = which("haproxy") or "haproxy"
        # With -W the first process only watches over a worker, which it replaces on SIGUSR2.
        pid = launch(balancer, (), [haproxy, "-W", "-db", "-f", file], paths.balancer / "haproxy.log")
    elif changed:
        os.kill(pid, signal.SIGUSR2)
    network.ensure_link(state, balancer, pid)


def remove(paths: Paths, balancer: Member) -> None:
    """End the load balancer, then its link and files."""
    cgroups.end_all(balancer.cgroup)
    network.remove_link(balancer)
    shutil.rmtree(paths.balancer, ignore_errors=True)
