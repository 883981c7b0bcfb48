"""The nodes' SSH ports behind proxies that delay every answer, since the kernel of the lab may have no netem."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lab import build
from lab.api import Node
from lab.paths import Paths
from lab.tools import Tool

TOXIPROXY = Tool(
    name="toxiproxy-server",
    module="toxiproxy",
    package="github.com/Shopify/toxiproxy/v2/cmd/server",
    upstream="github.com/Shopify/toxiproxy/v2",
)
_CONTROL_PORT = 18474
_FIRST_PORT = 18480


@contextmanager
def delayed(paths: Paths, nodes: Sequence[Node], milliseconds: int) -> Iterator[Mapping[str, int]]:
    """Ports on 127.0.0.1, by the nodes' names, that lead to their SSH ports with so much added to a round trip."""
    build.build(paths, [TOXIPROXY])
    # A benchmark that is killed takes its proxy along, which the next one's would find in its place.
    dies_with_us = ["setpriv", "--pdeathsig", "TERM"]
    command = [*dies_with_us, str(TOXIPROXY.path(paths)), "-host", "127.0.0.1", "-port", str(_CONTROL_PORT)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for_control(server)
            ports = {node.name: _FIRST_PORT + number for number, node in enumerate(nodes)}
            for node in nodes:
                listen = f"127.0.0.1:{ports[node.name]}"
                _post("/proxies", {"name": node.name, "listen": listen, "upstream": f"{node.address}:22"})
                _post(f"/proxies/{node.name}/toxics", {"type": "latency", "attributes": {"latency": milliseconds}})
            yield ports
        finally:
            server.terminate()


def _wait_for_control(server: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        if server.poll() is not None:
            raise SystemExit(f"toxiproxy ended with {server.returncode}; is port {_CONTROL_PORT} taken?")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{_CONTROL_PORT}/version", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit("toxiproxy does not answer")


def _post(path: str, body: Mapping[str, Any]) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{_CONTROL_PORT}{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=5).close()  # noqa: S310
