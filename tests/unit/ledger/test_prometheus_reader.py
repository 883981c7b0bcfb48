"""Readings of the counter from Prometheus: which samples are taken, and of whom."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from auditlog.ledger.minutes import stamp_of
from auditlog.ledger.prometheus_reader import PrometheusError, PrometheusReader, Sample, candidates
from tests.unit.ledger.made import AT_TEN, HOUR

NODES = {"cp1": frozenset({"cp1", "10.0.0.1"}), "cp2": frozenset({"cp2", "10.0.0.2"})}


@pytest.mark.parametrize(
    ("values", "pairs"),
    [
        ([], []),
        ([5], []),
        ([5, 9], [(0, 1)]),
        ([5, 9, 9, 2, 3], [(0, 2), (1, 2), (3, 4)]),
        ([9, 1, 2, 3], [(1, 3), (2, 3)]),
        ([9, 8, 7], []),
        (list(range(101)), [(0, 100), (50, 100), (75, 100), (88, 100), (94, 100)]),
    ],
)
def test_pairs_of_samples_without_a_restart(values: Sequence[int], pairs: list[tuple[int, int]]) -> None:
    samples = [Sample(at, value) for at, value in enumerate(values)]
    assert candidates(samples) == [(samples[one], samples[other]) for one, other in pairs]


@contextmanager
def prometheus(series: list[dict[str, Any]], status: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)["query"][0]
            found = [each for each in series if each["metric"]["__name__"] == query.partition("{")[0]]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps({"data": {"result": found}}).encode() if status == 200 else b"no")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def of(name: str, values: list[tuple[float, str]], **labels: str) -> dict[str, Any]:
    return {"metric": {"__name__": name, **labels}, "values": values}


def test_a_node_is_known_by_its_label_or_by_its_address() -> None:
    counted = "apiserver_audit_event_total"
    series = [
        of(counted, [(AT_TEN, "5"), (AT_TEN + 60, "9")], instance="10.0.0.1:6443"),
        of(counted, [(AT_TEN, "1"), (AT_TEN + 30, "2")], instance="elsewhere:6443", node="cp2"),
        of("scrape_duration_seconds", [(AT_TEN, "0.25"), (AT_TEN + 60, "0.5")], instance="10.0.0.1:6443"),
    ]
    with prometheus(series) as url:
        found = PrometheusReader(url, 'job="apiserver"').windows(HOUR, NODES)
    (first,), (second,) = found["cp1"], found["cp2"]
    assert first.earlier.before == stamp_of(AT_TEN)
    assert first.earlier.after == stamp_of(AT_TEN + 0.25)
    assert (first.later.events, first.later.after) == (9, stamp_of(AT_TEN + 60.5))
    assert second.later.after == stamp_of(AT_TEN + 40)


def test_two_series_of_one_node_are_no_reading() -> None:
    twice = [
        of("apiserver_audit_event_total", [(AT_TEN, "5"), (AT_TEN + 60, "9")], node="cp1", job=job) for job in "ab"
    ]
    with prometheus(twice) as url:
        assert PrometheusReader(url, "").windows(HOUR, NODES) == {}


def test_what_is_no_prometheus_is_named() -> None:
    with pytest.raises(PrometheusError, match="--prometheus is 'prom:9090'; allowed: an address"):
        PrometheusReader("prom:9090", "").windows(HOUR, NODES)
    with pytest.raises(PrometheusError, match="cannot be reached"):
        PrometheusReader("http://127.0.0.1:1", "").windows(HOUR, NODES)
    with prometheus([], 503) as url, pytest.raises(PrometheusError, match="answers 503: no"):
        PrometheusReader(url, "").windows(HOUR, NODES)
