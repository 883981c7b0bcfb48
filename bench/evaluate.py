"""Evaluations per second beside the API server's own evaluator, on the same policies and requests, in one run.

    python -m bench.evaluate [--requests 20000] [--seconds 1] [--rounds 3]

The peer is `lab/go/policy-oracle-0.37`: `EvaluatePolicyRule` of k8s.io/apiserver in a loop, nothing else. Ours are the
compiled form for many requests, and the plain `evaluate`. Requests are those of tests/unit/events/generate.py, each an
object of its own. Each round measures the three one after the other, so that they meet the same machine, and in
processor time, which other work on the machine changes little; printed are the best of the rounds and how many times
the peer is faster.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod

import msgspec

from auditlog.events.event import Event, to_request
from auditlog.policy.evaluate import compile_policy, evaluate
from auditlog.policy.model import NEWEST_MINOR, Decision, Request
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.read import read_policy
from tests.differential.oracle import Question, evaluations_per_second
from tests.unit.events.generate import encode, events


@dataclass(frozen=True, slots=True)
class Measured:
    """Evaluations per second of one policy."""

    go: float
    compiled: float
    plain: float


def make_requests(count: int) -> tuple[Request, ...]:
    """The requests of `count` generated events."""
    decoder = msgspec.json.Decoder(Event)
    return tuple(to_request(decoder.decode(encode(event))) for event in islice(events(2025), count))


def rate(decide: Callable[[Request], Decision], requests: Sequence[Request], seconds: float) -> float:
    """How many requests are decided per second of processor time, over whole passes of at least `seconds`."""
    passes, start = 0, time.process_time()
    while (used := time.process_time() - start) < seconds:
        for request in requests:
            decide(request)
        passes += 1
    return passes * len(requests) / used


def measure(preset: str, requests: tuple[Request, ...], seconds: float, rounds: int) -> Measured:
    """The best of the rounds for one preset."""
    text = preset_text(preset)
    policy = read_policy(text, preset)
    decide = compile_policy(policy)
    question = Question(text, requests)
    found = [
        Measured(
            go=evaluations_per_second(NEWEST_MINOR, question, seconds),
            compiled=rate(decide, requests, seconds),
            plain=rate(lambda request: evaluate(policy, request), requests, seconds),
        )
        for _ in range(rounds)
    ]
    return Measured(
        max(each.go for each in found), max(each.compiled for each in found), max(each.plain for each in found)
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.evaluate", description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    requests = make_requests(arguments.requests)

    print(f"{'preset':24}{'Go':>12}{'compiled':>12}{'plain':>12}   Go / compiled   Go / plain")
    ratios = []
    for preset in preset_names():
        found = measure(preset, requests, arguments.seconds, arguments.rounds)
        ratios.append(found.go / found.compiled)
        print(
            f"{preset:24}{found.go:12,.0f}{found.compiled:12,.0f}{found.plain:12,.0f}"
            f"{found.go / found.compiled:16.2f}{found.go / found.plain:13.1f}"
        )
    mean = prod(ratios) ** (1 / len(ratios))
    print(f"Evaluations per second over {len(requests)} requests. Go / compiled, geometric mean: {mean:.2f}")


if __name__ == "__main__":
    main()
