"""How long an audit event takes from the API server through Alloy to Loki, at several rates of requests.

    python -m bench.delay [--requests 600] [--rates 2 20 200]

On a lab that is up, with `python -m lab observability up`. Requests are sent at an even rate while Loki is asked
without a pause for what is new. The delay is from an event's own `stageTimestamp`, at which it is written to the file,
to the answer that it is in. That answer is up to one query late; how long those took is printed beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass, field
from statistics import median, quantiles

from lab.api import Lab
from lab.observability import compare, loki_api
from lab.observability.load import Load
from lab.observability.stack import Observability
from lab.stack import PulumiStack

POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n"
_QUERY = f'{compare.SELECTOR} | resource="configmaps" | name=~"load-.+"'
_GIVEN_UP_SECONDS = 120
# Alloy reads a file in its order, so nothing much older than what has come is still to come.
_OVERLAP_SECONDS = 2


@dataclass
class Arrivals:
    """Seconds from each event to the answer that it was first in, by audit ID, and the seconds that each query took."""

    since: float
    delays: dict[str, float] = field(default_factory=dict)
    queries: list[float] = field(default_factory=list)

    def look(self, url: str) -> None:
        """Asks Loki once."""
        began, start = time.time(), self.since
        events = [json.loads(entry.line) for entry in loki_api.entries(url, _QUERY, int(start * 1e9), int(began * 1e9))]
        answered = time.time()
        self.queries.append(answered - began)
        for event in events:
            written = compare.seconds(event["stageTimestamp"])
            self.delays.setdefault(event["auditID"], answered - written)
            self.since = max(self.since, written - _OVERLAP_SECONDS)


def measure(lab: Lab, url: str, count: int, rate: float) -> Arrivals:
    """When the events of so many requests came, at `rate` a second. RuntimeError when some do not."""
    arrivals = Arrivals(time.time())
    with Load(lab, count, rate) as load:
        deadline = time.monotonic() + count / rate + _GIVEN_UP_SECONDS
        while load.done < count or len(arrivals.delays) < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{load.done} requests, {len(arrivals.delays)} events in Loki")
            arrivals.look(url)
    return arrivals


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.delay", description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=600, help="at each rate")
    parser.add_argument("--rates", type=float, nargs="+", default=[2, 20, 200], help="requests a second")
    arguments = parser.parse_args()
    lab = Lab.load()
    lab.reset()
    observability = Observability.of(lab.paths)
    stack = PulumiStack.prepare(lab.paths, lab.state, "delay", {"restart": "drain", "rehearsal": False})
    policy = stack.folder / "policy.yaml"
    policy.write_text(POLICY)
    observability.configure(stack, policy={"file": str(policy)})
    stack.run("up", "--yes", "--skip-preview")
    try:
        print(f"{'requests a second':>18}{'p50':>9}{'p99':>9}{'longest':>9}   a query took")
        for rate in arguments.rates:
            arrivals = measure(lab, observability.loki.url, arguments.requests, rate)
            delays = list(arrivals.delays.values())
            percentiles = quantiles(delays, n=100)
            print(
                f"{rate:18g}{percentiles[49]:7.2f} s{percentiles[98]:7.2f} s{max(delays):7.2f} s"
                f"{median(arrivals.queries):13.2f} s",
                flush=True,
            )
        print(f"{arguments.requests} events at each rate (load of this machine: {os.getloadavg()[0]:.1f})")
    finally:
        stack.run("destroy", "--yes", "--skip-preview")
        stack.remove()


if __name__ == "__main__":
    main()
