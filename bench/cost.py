"""What each preset costs an API server on the same requests, beside audit logging off, in one run.

    python -m bench.cost [--requests 3000] [--rounds 3] [--presets standard,lean,...]

On a lab that is up. Each preset gets an API server of its own beside the node's static pod, on the same etcd and with
the static pod's flags, so that all begin alike. The requests are those of `bench.traffic`, one after the other, after a
tenth of them to warm up. Each round measures every preset and none; printed are the medians of the rounds. Memory is
the resident set after the last request, the latency that of the client, processor time the API server's own. A request
is kept when at least one event of it is in the log, and the bytes are those of its events.

`lean` is measured with the whole catalogue of annotations in force, and without. What admission policies cost a write
is the API server's own histogram of the plugin (apiserver_admission_controller_admission_duration_seconds), beside the
same without policies. Bytes by kind are of the requests whose bodies `standard` records.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from auditlog.annotations.read import catalogue
from auditlog.annotations.render import binding_spec, policy_spec
from auditlog.nodes.second_api_server import PORTS
from auditlog.policy.presets import preset_names, preset_text
from bench.traffic import NAME, Callers, Client, Request, prepared, requests
from lab.api import Lab, Node
from lab.audit_logs import file_lines
from lab.second_api_server import second_api_server

OFF = "audit off"
_ANNOTATED = "lean"
_NOT_ANNOTATED = "lean, not annotated"
_WRITES = ("create", "update", "patch")
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
    admission: float
    """Seconds that the plugin for admission policies takes for a write."""
    kinds: Mapping[str, float]
    """Bytes a request that carries a body, by the kind of its object."""

    @property
    def numbers(self) -> tuple[float, ...]:
        """All but the kinds, in the order of their columns."""
        return (
            self.memory,
            self.p50,
            self.p99,
            self.processor,
            self.bytes_per_request,
            self.kept,
            self.admission,
        )


@contextmanager
def api_server(node: Node, preset: str) -> Iterator[int]:
    """A second API server on the node, with a preset or without audit logging, ready; gives its process id there."""
    audit = {"audit-policy-file": f"{_FOLDER}/policy.yaml", "audit-log-path": f"{_FOLDER}/audit.log"}
    is_off = preset == OFF
    files = {} if is_off else {"policy.yaml": preset_text(_ANNOTATED if preset == _NOT_ANNOTATED else preset)}
    with second_api_server(node, _FOLDER, files, {} if is_off else audit) as process:
        time.sleep(_SETTLE_SECONDS)
        yield process


@contextmanager
def annotated(lab: Lab, folder: Path) -> Iterator[None]:
    """The whole catalogue of annotations in force, in every API server of the cluster."""
    group = "admissionregistration.k8s.io/v1"
    made = [
        {"apiVersion": group, "kind": kind, "metadata": {"name": entry.policy_name}, "spec": spec(entry)}
        for entry in catalogue()
        for kind, spec in (
            ("ValidatingAdmissionPolicy", policy_spec),
            ("ValidatingAdmissionPolicyBinding", binding_spec),
        )
    ]
    file = folder / "annotations.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
    lab.kubectl("apply", "-f", str(file))
    try:
        yield
    finally:
        lab.kubectl("delete", "-f", str(file))


def measure(lab: Lab, callers: Callers, preset: str, made: Sequence[Request]) -> Cost:
    """What one API server of its own takes for the requests."""
    node = lab.nodes[0]
    with api_server(node, preset) as process:
        _send(callers, node, _WARM_UP, made[: len(made) // 10])
        before, admitted = _processor_seconds(node, process), _admission(node)
        latencies = _send(callers, node, _AGENT, made)
        used = _processor_seconds(node, process) - before
        spent, writes = (now - then for now, then in zip(_admission(node), admitted, strict=True))
        memory = int(node.run(f"awk '/^VmRSS/ {{ print $2 }}' /proc/{process}/status").stdout) * 1024
        size, kept, kinds = _recorded(lab.paths.node(node.name) / _FOLDER.lstrip("/"))
    percentiles = quantiles(latencies, n=100)
    count = len(made)
    carrying = Counter(_kind(each.path) for each in made if each.carries_body)
    by_kind = {kind: kinds[kind] / number for kind, number in carrying.items()}
    latency = percentiles[49], percentiles[98]
    return Cost(memory, *latency, used / count, size / count, kept / count, spent / writes, by_kind)


def _kind(path: str) -> str:
    """The plural that a path of the traffic is about."""
    return path.removesuffix(f"/{NAME}").rpartition("/")[2]


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


def _admission(node: Node) -> tuple[float, float]:
    """Seconds and calls of the plugin for admission policies, of all operations, since the server started."""
    kubectl = "kubectl --kubeconfig /etc/kubernetes/admin.conf --tls-server-name kubernetes"
    text = node.run(f"{kubectl} --server https://127.0.0.1:{PORTS[0]} get --raw /metrics").stdout
    name = "apiserver_admission_controller_admission_duration_seconds"
    of_plugin = [line for line in text.splitlines() if 'name="ValidatingAdmissionPolicy"' in line]
    values = [
        sum(float(line.rpartition(" ")[2]) for line in of_plugin if line.startswith(f"{name}_{suffix}{{"))
        for suffix in ("sum", "count")
    ]
    return values[0], values[1]


def _recorded(folder: Path) -> tuple[int, int, Counter[str]]:
    """The bytes of the measured requests' events, the number of requests that have one, and bytes by kind of writes."""
    size, seen, kinds = 0, set(), Counter[str]()
    for line in file_lines(folder):
        event = json.loads(line)
        if event.get("userAgent") == _AGENT:
            size += len(line.encode())
            seen.add(event["auditID"])
            if event["verb"] in _WRITES:
                kinds[event.get("objectRef", {}).get("resource", "")] += len(line.encode())
    return size, len(seen), kinds


def _print(found: Mapping[str, Sequence[Cost]]) -> None:
    head = f"{'memory':>9}{'p50':>9}{'p99':>9}{'processor':>13}{'bytes':>12}{'kept':>8}{'admission':>14}"
    print(f"{'':22}{head}")
    for name, costs in found.items():
        memory, p50, p99, processor, size, kept, admission = (
            median(values) for values in zip(*(each.numbers for each in costs), strict=True)
        )
        print(
            f"{name:22}{memory / _MEBIBYTE:5.0f} MiB{p50 * 1000:6.2f} ms{p99 * 1000:6.1f} ms"
            f"{processor * 1000:8.2f} ms/r{size:10.0f}/r{kept:8.1%}{admission * 1000:8.3f} ms/w"
        )
    print("\nbytes a request that carries a body")
    kinds = sorted({kind for costs in found.values() for cost in costs for kind in cost.kinds})
    print(f"{'':22}" + "".join(f"{kind:>28}" for kind in kinds))
    for name, costs in found.items():
        print(f"{name:22}" + "".join(f"{median(cost.kinds[kind] for cost in costs):28.0f}" for kind in kinds))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--presets", default=",".join(preset_names()), help="with commas between them")
    arguments = parser.parse_args()
    lab = Lab.load()
    lab.reset()
    made = requests(arguments.requests)
    presets = arguments.presets.split(",")
    names = (OFF, *presets, *([_NOT_ANNOTATED] if _ANNOTATED in presets else []))
    found: dict[str, list[Cost]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder, prepared(lab, Path(folder)) as callers:
        for _ in range(arguments.rounds):
            for name in names:
                with annotated(lab, Path(folder)) if name == _ANNOTATED else nullcontext():
                    found[name].append(measure(lab, callers, name, made))
        _print(found)
    load = f"load of this machine: {os.getloadavg()[0]:.1f}"
    print(f"{arguments.requests} requests, medians of {arguments.rounds} rounds ({load})")


if __name__ == "__main__":
    main()
