"""Loki's pages put together without loss or repetition, and the two sides compared."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from lab.errors import LabError
from lab.observability import loki, loki_api, prometheus
from lab.observability.compare import Comparison, seconds
from lab.observability.service import member
from lab.state import plan

Stored = list[tuple[int, str]]


@contextmanager
def serving(stored: Stored) -> Iterator[str]:
    """A fake for Loki's query_range over (nanosecond, line), with its limit and its half-open range."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
            found = [each for each in sorted(stored) if int(asked["start"]) <= each[0] < int(asked["end"])]
            values = [[str(at), line, {"structuredMetadata": {"auditID": line}}] for at, line in found]
            result = [{"stream": {"job": "a"}, "values": values[: int(asked["limit"])]}]
            body = json.dumps({"data": {"result": result}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("page", [1, 2, 3, 4, 100])
def test_pages_give_every_entry_once_also_those_of_one_nanosecond(monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    stored = [(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e"), (6, "f")]
    if page > 2:
        stored = [(1, "a"), (2, "b"), (2, "c"), (3, "d"), (4, "e"), (4, "f"), (5, "g")]
    monkeypatch.setattr(loki_api, "_PAGE", page + 1)
    with serving(stored) as url:
        found = list(loki_api.entries(url, "{}", 0, 10))
    assert [(entry.time, entry.line) for entry in found] == stored


def test_an_entry_that_loki_holds_twice_is_given_twice() -> None:
    stored = [(1, "a"), (2, "b"), (2, "b"), (3, "c")]
    with serving(stored) as url:
        assert [entry.line for entry in loki_api.entries(url, "{}", 0, 10, size=3)] == ["a", "b", "b", "c"]


def test_more_entries_of_one_nanosecond_than_a_page_holds_are_an_error() -> None:
    with serving([(1, "a"), (1, "b"), (1, "c")]) as url, pytest.raises(LabError, match="at one nanosecond"):
        list(loki_api.entries(url, "{}", 1, 10, size=2))


def test_a_loki_that_is_not_there_is_named() -> None:
    with pytest.raises(LabError, match=r"Loki at http://127\.0\.0\.1:9 does not answer"):
        list(loki_api.entries("http://127.0.0.1:9", "{}", 0, 1))


def test_the_difference_is_shown_on_both_sides() -> None:
    files = Counter({("a", "ResponseComplete"): 1, ("b", "ResponseComplete"): 1})
    stored = Counter({("b", "ResponseComplete"): 2})
    result = Comparison(files, stored, 2)
    assert not result.equal
    assert result.lines() == [
        "events in files: 2",
        "entries in Loki: 2 (count_over_time: 2)",
        "missing in Loki: 1 (a ResponseComplete)",
        "too many in Loki: 1 (b ResponseComplete)",
        "NOT equal",
    ]


def test_a_timestamp_is_read_to_the_microsecond() -> None:
    assert seconds("2026-06-06T16:51:26.000001Z") == pytest.approx(1780764686.000001, abs=1e-7)


def test_servers_have_names_and_addresses_of_their_own(tmp_path: Path) -> None:
    state = plan(tmp_path, kubernetes="1.36", version="v1.36.3", count=3, networks=[], sysctls={})
    taken = {node.address for node in state.nodes} | {state.bridge_address}
    members = [member(state, "loki", 5), member(state, "prom", 6)]
    assert len({each.address for each in members} | taken) == len(taken) + 2
    assert all(len(each.link) <= 15 for each in members), "the kernel takes no longer name of a link"


def test_loki_keeps_its_own_limits_but_for_stream_shards_and_tells_nobody(tmp_path: Path) -> None:
    document = loki.configuration(tmp_path, "http://alerts")
    assert document["limits_config"] == {"shard_streams": {"enabled": False}}
    assert document["analytics"] == {"reporting_enabled": False}
    assert yaml.safe_load(yaml.safe_dump(document)) == document


def test_prometheus_scrapes_every_api_server_alloy_and_loki(tmp_path: Path) -> None:
    state = plan(tmp_path, kubernetes="1.36", version="v1.36.3", count=3, networks=[], sysctls={})
    document = prometheus.configuration(state, tmp_path, "10.0.0.5:3100")
    jobs = {job["job_name"]: job for job in document["scrape_configs"]}
    assert [each["targets"] for each in jobs["apiserver"]["static_configs"]] == [
        [f"{node.address}:6443"] for node in state.nodes
    ]
    assert {"alloy", "loki", "prometheus"} <= set(jobs)
    assert all(job["relabel_configs"] == [{"target_label": "cluster", "replacement": "lab"}] for job in jobs.values())
