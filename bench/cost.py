"""What each preset costs an API server on the same requests, beside audit logging off, in one run.

    python -m bench.cost [--requests 3000] [--rounds 3]

On a lab that is up. Each preset gets an API server of its own beside the node's static pod, on the same etcd and with
the static pod's flags, so that all begin alike. The requests are those of `bench.traffic`, one after the other, after a
tenth of them to warm up. Each round measures every preset and none; printed are the medians of the rounds. Memory is
the resident set after the last request, the latency that of the client, processor time the API server's own. A request
is kept when at least one event of it is in the log, and the bytes are those of its events.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median, quantiles

from auditlog.nodes.second_api_server import PORTS
from auditlog.policy.presets import preset_names, preset_text
from bench.traffic import Callers, Client, Request, prepared, requests
from lab.api import Lab, Node
from lab.audit_logs import file_lines
from lab.second_api_server import second_api_server

OFF = "audit off"
_FOLDER = "/var/lib/bench-cost"
_AGENT, _WARM_UP = "bench-cost", "bench-cost-warm-up"
_SETTLE_SECONDS = 5
_MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one API server: bytes of memory, seconds of latency and processor time a request, bytes and share kept."""

    memory: float
    p50: float
    p99: float
    processor: float
    bytes_per_request: float
    kept: float


@contextmanager
def api_server(node: Node, preset: str) -> Iterator[int]:
    """A second API server on the node, with a preset or without audit logging, ready; gives its process id there."""
    audit = {"audit-policy-file": f"{_FOLDER}/policy.yaml", "audit-log-path": f"{_FOLDER}/audit.log"}
    is_off = preset == OFF
    files = {} if is_off else {"policy.yaml": preset_text(preset)}
    with second_api_server(node, _FOLDER, files, {} if is_off else audit) as process:
        time.sleep(_SETTLE_SECONDS)
        yield process


def measure(lab: Lab, callers: Callers, preset: str, made: Sequence[Request]) -> Cost:
    """What one API server of its own takes for the requests."""
    node = lab.nodes[0]
    with api_server(node, preset) as process:
        _send(callers, node, _WARM_UP, made[: len(made) // 10])
        before = _processor_seconds(node, process)
        latencies = _send(callers, node, _AGENT, made)
        used = _processor_seconds(node, process) - before
        memory = int(node.run(f"awk '/^VmRSS/ {{ print $2 }}' /proc/{process}/status").stdout) * 1024
        size, kept = _recorded(lab.paths.node(node.name) / _FOLDER.lstrip("/"))
    percentiles = quantiles(latencies, n=100)
    count = len(made)
    return Cost(memory, percentiles[49], percentiles[98], used / count, size / count, kept / count)


def _send(callers: Callers, node: Node, agent: str, made: Sequence[Request]) -> list[float]:
    client = Client(callers, node.address, PORTS[0], agent)
    try:
        return [client.send(request) for request in made]
    finally:
        client.close()


def _processor_seconds(node: Node, process: int) -> float:
    """What the process has used of the processors; fields 14 and 15 of proc(5), in hundredths."""
    return sum(map(int, node.run(f"cut -d ' ' -f 14,15 /proc/{process}/stat").stdout.split())) / os.sysconf(
        "SC_CLK_TCK"
    )


def _recorded(folder: Path) -> tuple[int, int]:
    """The bytes of the measured requests' events, and the number of requests that have one."""
    size, seen = 0, set()
    for line in file_lines(folder):
        event = json.loads(line)
        if event.get("userAgent") == _AGENT:
            size += len(line.encode())
            seen.add(event["auditID"])
    return size, len(seen)


def _print(found: Mapping[str, Sequence[Cost]]) -> None:
    print(f"{'':22}{'memory':>9}{'p50':>9}{'p99':>9}{'processor':>13}{'bytes':>12}{'kept':>8}")
    for name, costs in found.items():
        cost = Cost(*(median(values) for values in zip(*map(astuple, costs), strict=True)))
        print(
            f"{name:22}{cost.memory / _MEBIBYTE:5.0f} MiB{cost.p50 * 1000:6.2f} ms{cost.p99 * 1000:6.1f} ms"
            f"{cost.processor * 1000:8.2f} ms/r{cost.bytes_per_request:10.0f}/r{cost.kept:8.1%}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    lab = Lab.load()
    lab.reset()
    made = requests(arguments.requests)
    names = (OFF, *preset_names())
    found: dict[str, list[Cost]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder, prepared(lab, Path(folder)) as callers:
        for _ in range(arguments.rounds):
            for name in names:
                found[name].append(measure(lab, callers, name, made))
        _print(found)
    load = f"load of this machine: {os.getloadavg()[0]:.1f}"
    print(f"{arguments.requests} requests, medians of {arguments.rounds} rounds ({load})")


if __name__ == "__main__":
    main()
