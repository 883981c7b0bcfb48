"""How long an audit event takes from the API server to Loki, and what Alloy uses, beside the first released version.

    python -m bench.delay [--requests 600] [--rates 2 20 200]

On a lab that is up, with `python -m lab observability up`. Two DaemonSets ship the same log of the same node at the
same time: today's, and that of the first released version (`tests/observability/released`), each under its own label
`cluster`. Requests are sent at an even rate while Loki is asked without a pause for what is new. The delay is from an
event's own `stageTimestamp`, at which it is written to the file, to the answer that it is in. That answer is up to one
query late; how long those took is printed beside it. Processor time and resident memory are those of all processes of
the pod, without the time of the first start.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from auditlog.events.logql import streams
from auditlog.observe.alloy import STORAGE
from lab.api import Lab, Node
from lab.observability import compare, loki_api
from lab.observability.load import Load
from lab.observability.stack import Observability
from lab.paths import REPOSITORY
from lab.stack import CLUSTER, PulumiStack

POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n"
RELEASED = REPOSITORY / "tests/observability/released"
_GIVEN_UP_SECONDS = 120
# Alloy reads a file in its order, so nothing much older than what has come is still to come.
_OVERLAP_SECONDS = 2
# Alloy's first start reads fifteen minutes of log.
_SETTLE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One way to Loki: what tables call it, its label `cluster`, and the namespace of its DaemonSet."""

    name: str
    cluster: str
    namespace: str


TODAY = Pipeline("today's", CLUSTER, "kubernetes-audit")
BEFORE = Pipeline("4ecdf31", "released", "kubernetes-audit-released")


@dataclass
class Arrivals:
    """Seconds from each event to the answer that it was first in, by audit ID, and the seconds that each query took."""

    cluster: str
    since: float
    delays: dict[str, float] = field(default_factory=dict)
    queries: list[float] = field(default_factory=list)

    def look(self, url: str) -> None:
        """Asks Loki once."""
        began, start = time.time(), self.since
        query = f'{streams(f"cluster={json.dumps(self.cluster)}")} | resource="configmaps" | name=~"load-.+"'
        events = [json.loads(entry.line) for entry in loki_api.entries(url, query, int(start * 1e9), int(began * 1e9))]
        answered = time.time()
        self.queries.append(answered - began)
        for event in events:
            written = compare.seconds(event["stageTimestamp"])
            self.delays.setdefault(event["auditID"], answered - written)
            self.since = max(self.since, written - _OVERLAP_SECONDS)

    def look_until(self, url: str, count: int, deadline: float) -> None:
        """Asks without a pause until so many events are in."""
        while len(self.delays) < count and time.monotonic() < deadline:
            self.look(url)


@dataclass(frozen=True, slots=True)
class Used:
    """What the processes of a pod have used: seconds of a processor, and bytes of memory that they have now."""

    processor: float
    memory: int


def measure(lab: Lab, url: str, count: int, rate: float, pipelines: Sequence[Pipeline]) -> list[Arrivals]:
    """When the events of so many requests came, at `rate` a second. RuntimeError when some do not."""
    found = [Arrivals(each.cluster, time.time()) for each in pipelines]
    deadline = time.monotonic() + count / rate + _GIVEN_UP_SECONDS
    looking = [threading.Thread(target=each.look_until, args=(url, count, deadline)) for each in found]
    with Load(lab, count, rate):
        for thread in looking:
            thread.start()
        for thread in looking:
            thread.join()
    for arrivals in found:
        if len(arrivals.delays) < count:
            raise RuntimeError(f"{arrivals.cluster}: {len(arrivals.delays)} events of {count} in Loki")
    return found


def used(lab: Lab, node: Node, pipeline: Pipeline) -> Used:
    """Of proc(5): fields 14 to 17 of `stat`, which count children that have ended, and VmRSS of `status`."""
    pod = lab.kubectl("-n", pipeline.namespace, "get", "pods", "-o", "jsonpath={.items[0].metadata.uid}")
    script = (
        f"for each in $(grep -l {pod} /proc/[0-9]*/cgroup 2>/dev/null); do"
        ' cut -d " " -f 14-17 "${each%/cgroup}/stat"; grep VmRSS "${each%/cgroup}/status"; done; true'
    )
    lines = [line.split() for line in node.run(script).stdout.splitlines()]
    ticks = sum(int(number) for words in lines if words[0] != "VmRSS:" for number in words)
    memory = sum(int(words[1]) * 1024 for words in lines if words[0] == "VmRSS:")
    return Used(ticks / os.sysconf("SC_CLK_TCK"), memory)


@contextmanager
def released(lab: Lab, url: str, folder: Path) -> Iterator[None]:
    """The DaemonSet of the first released version beside today's, which is there: its image, mounts and limits."""
    daemon_set = json.loads(lab.kubectl("-n", TODAY.namespace, "get", "daemonset", "alloy-audit", "-o", "json"))
    storage = f"{STORAGE}-released"
    spec = json.loads(json.dumps(daemon_set["spec"]).replace(STORAGE, storage))
    pod = spec["template"]["spec"]
    for each in ("serviceAccountName", "serviceAccount"):
        pod.pop(each, None)
    (container,) = pod["containers"]
    # It was started by sh, which the lab's image has not.
    container["command"] = ["/bin/bash", "/etc/alloy/places.sh", storage, "15"]
    container["args"] = ["alloy", "run", "/etc/alloy/config.alloy", f"--storage.path={storage}"]
    container["args"] += ["--server.http.listen-addr=0.0.0.0:12345", "--disable-reporting"]
    text = (RELEASED / "config.alloy").read_text().replace("http://loki.invalid", url).replace(STORAGE, storage)
    files = {
        "config.alloy": text.replace(f'cluster = "{CLUSTER}"', f'cluster = "{BEFORE.cluster}"'),
        "places.sh": (RELEASED / "places.sh").read_text(),
    }
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    own = {"name": "alloy-audit", "namespace": BEFORE.namespace}
    made: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": BEFORE.namespace, "labels": labels}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": own, "data": files},
        {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": own, "spec": spec},
    ]
    file = folder / "released.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
    try:
        lab.kubectl("apply", "-f", str(file))
        lab.kubectl("-n", BEFORE.namespace, "rollout", "status", "daemonset/alloy-audit", "--timeout=300s")
        yield
    finally:
        lab.kubectl("delete", "namespace", BEFORE.namespace, "--ignore-not-found", "--timeout=180s")
        for node in lab.nodes:
            node.run(f"rm -rf {storage}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.delay", description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=600, help="at each rate")
    parser.add_argument("--rates", type=float, nargs="+", default=[2, 20, 200], help="requests a second")
    arguments = parser.parse_args()
    lab = Lab.load()
    lab.reset()
    observability = Observability.of(lab.paths)
    url = observability.loki.url
    stack = PulumiStack.prepare(lab.paths, lab.state, "delay", {"restart": "drain", "rehearsal": False})
    policy = stack.folder / "policy.yaml"
    policy.write_text(POLICY)
    observability.configure(stack, policy={"file": str(policy)})
    stack.run("up", "--yes", "--skip-preview")
    pipelines, node = (TODAY, BEFORE), lab.nodes[0]
    try:
        with released(lab, url, stack.folder):
            time.sleep(_SETTLE_SECONDS)
            head = f"{'p50':>9}{'p99':>9}{'longest':>9}{'processor':>14}{'memory':>11}"
            print(f"{'requests a second':>18}  {'':8}{head}   a query took")
            for rate in arguments.rates:
                before = [used(lab, node, each) for each in pipelines]
                found = measure(lab, url, arguments.requests, rate, pipelines)
                after = [used(lab, node, each) for each in pipelines]
                for pipeline, arrivals, then, now in zip(pipelines, found, before, after, strict=True):
                    delays = list(arrivals.delays.values())
                    percentiles = quantiles(delays, n=100)
                    processor = (now.processor - then.processor) / arguments.requests * 1000
                    print(
                        f"{rate:18g}  {pipeline.name:8}{percentiles[49]:7.2f} s{percentiles[98]:7.2f} s"
                        f"{max(delays):7.2f} s{processor:9.2f} ms/r{now.memory / 2**20:7.0f} MiB"
                        f"{median(arrivals.queries):13.2f} s",
                        flush=True,
                    )
        print(f"{arguments.requests} events at each rate (load of this machine: {os.getloadavg()[0]:.1f})")
    finally:
        stack.run("destroy", "--yes", "--skip-preview")
        stack.remove()


if __name__ == "__main__":
    main()
