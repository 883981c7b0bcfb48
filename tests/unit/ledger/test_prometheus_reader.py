"""Readings of the counter from Prometheus: which samples are taken, and of whom."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from auditlog.ledger.minutes import stamp_of
from auditlog.ledger.prometheus_reader import (
    PrometheusAccess,
    PrometheusError,
    PrometheusReader,
    Sample,
    candidates,
)
from tests.unit.events.fake_loki import certificate_and_key
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
def prometheus(
    series: list[dict[str, Any]],
    status: int = 200,
    received: list[dict[str, str]] | None = None,
    context: ssl.SSLContext | None = None,
) -> Iterator[str]:
    """A Prometheus that answers so, on the loopback. Headers of requests go to ``received``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if received is not None:
                received.append({name.lower(): value for name, value in self.headers.items()})
            query = parse_qs(urlsplit(self.path).query)["query"][0]
            found = [each for each in series if each["metric"]["__name__"] == query.partition("{")[0]]
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "http://elsewhere.invalid/")
            self.end_headers()
            self.wfile.write(json.dumps({"data": {"result": found}}).encode() if status == 200 else b"no")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}"
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
        found = PrometheusReader(PrometheusAccess(url), 'job="apiserver"').windows(HOUR, NODES)
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
        assert PrometheusReader(PrometheusAccess(url), "").windows(HOUR, NODES) == {}


def test_what_is_no_prometheus_is_named() -> None:
    with pytest.raises(PrometheusError, match="--prometheus is 'prom:9090'; allowed: an address"):
        PrometheusReader(PrometheusAccess("prom:9090"), "").windows(HOUR, NODES)
    with pytest.raises(PrometheusError, match="cannot be reached"):
        PrometheusReader(PrometheusAccess("http://127.0.0.1:1"), "").windows(HOUR, NODES)
    with prometheus([], 503) as url, pytest.raises(PrometheusError, match="answers 503: no"):
        PrometheusReader(PrometheusAccess(url), "").windows(HOUR, NODES)


@pytest.mark.parametrize(
    ("credentials", "sent"),
    [
        ({}, {}),
        ({"token": "t"}, {"authorization": "Bearer t"}),
        ({"user": "reader", "password": "p"}, {"authorization": "Basic cmVhZGVyOnA="}),
        ({"tenant": "ops", "token": "t"}, {"x-scope-orgid": "ops", "authorization": "Bearer t"}),
    ],
)
def test_every_request_carries_the_credentials(credentials: dict[str, Any], sent: dict[str, str]) -> None:
    received: list[dict[str, str]] = []
    with prometheus([], received=received) as url:
        PrometheusReader(PrometheusAccess(url, **credentials), "").windows(HOUR, NODES)
    assert len(received) == 2
    names = ("authorization", "x-scope-orgid")
    assert [{name: each[name] for name in names if name in each} for each in received] == [sent, sent]


def test_its_certificate_is_checked_with_the_authorities_that_are_given(tmp_path: Path) -> None:
    certificate, key = certificate_and_key(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with prometheus([], context=context) as url:
        assert PrometheusReader(PrometheusAccess(url, ca_file=str(certificate)), "").windows(HOUR, NODES) == {}
        with pytest.raises(PrometheusError, match="certificate verify failed"):
            PrometheusReader(PrometheusAccess(url), "").windows(HOUR, NODES)


def test_a_redirect_is_not_followed_with_the_credentials() -> None:
    with (
        prometheus([], 302) as url,
        pytest.raises(PrometheusError, match=r"302: it redirects to http://elsewhere\.invalid/"),
    ):
        PrometheusReader(PrometheusAccess(url, token="t"), "").windows(HOUR, NODES)


def test_a_refusal_names_the_options() -> None:
    with prometheus([], 401) as url, pytest.raises(PrometheusError) as error:
        PrometheusReader(PrometheusAccess(url), "").windows(HOUR, NODES)
    assert str(error.value).endswith(
        "answers 401: no; --prometheus-tenant, --prometheus-user or --prometheus-token-file may be missing or wrong"
    )
