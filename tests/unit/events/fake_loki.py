"""A Loki of a few lines, on the loopback: what the client needs of the HTTP API, over events in memory.

It evaluates the line filters that `auditlog.events.loki.filters` writes, and the metric queries that
`auditlog.events.loki.store` makes. That real Loki does the same is for the lab's tests.
"""

from __future__ import annotations

import functools
import json
import re
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_FILTER = re.compile(r"(\|=|\|~) `([^`]*)`")
_WINDOW = re.compile(r"(min|max)_over_time\(.*\[(\d+)s\]\)")


@dataclass
class FakeLoki:
    """What it holds, as (node, line), and what it was asked. ``refusals`` are answers it gives before any other.

    ``metadata`` comes with every line, beside the labels cluster and node.
    """

    lines: list[tuple[str, bytes]] = field(default_factory=list)
    refusals: list[tuple[int, str]] = field(default_factory=list)
    redirect: str = ""
    largest_answer: int = 5000
    requests: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=lambda: {"verb": "x"})
    url: str = ""

    def answer(self, path: str, parameters: dict[str, str]) -> tuple[int, Any]:
        if self.refusals:
            return self.refusals.pop(0)
        query = parameters.get("query", "")
        if path.endswith("/series"):
            return 200, [{"cluster": "test", "node": node} for node in sorted({node for node, _ in self.lines})]
        if query.startswith("{"):
            if int(parameters["limit"]) > self.largest_answer:
                return 500, "trying to send message larger than max (5000000 vs. 4194304)"
            return 200, {"resultType": "streams", "result": self._streams(query, parameters)}
        if path.endswith("/query"):
            counts: dict[str, int] = {}
            filters = _FILTER.findall(query)
            for node, line in self.lines:
                if all(_passes(kind, operand, line.decode()) for kind, operand in filters):
                    counts[node] = counts.get(node, 0) + 1
            series = [
                {"metric": {"cluster": "test", "node": node}, "value": [0, str(count)]}
                for node, count in counts.items()
            ]
            return 200, {"resultType": "vector", "result": series}
        return 200, {"resultType": "matrix", "result": self._matrix(query, parameters)}

    def _streams(self, query: str, parameters: dict[str, str]) -> list[dict[str, Any]]:
        start, end, limit = (int(parameters[name]) for name in ("start", "end", "limit"))
        filters = _FILTER.findall(query)
        found = sorted(
            (moment, node, text)
            for node, line in self.lines
            for moment, text in [(_nanoseconds(line), line.decode())]
            if start <= moment < end and all(_passes(kind, operand, text) for kind, operand in filters)
        )[:limit]
        return [
            {"stream": {"cluster": "test", "node": node, **self.metadata}, "values": [[str(moment), text]]}
            for moment, node, text in found
        ]

    def _matrix(self, query: str, parameters: dict[str, str]) -> list[dict[str, Any]]:
        match = _WINDOW.match(query)
        assert match is not None, query
        start, end, step = (int(parameters[name]) for name in ("start", "end", "step"))
        assert step == int(match[2])
        assert (end - start) / step <= 11_000
        windows: dict[tuple[str, int], list[int]] = {}
        for node, line in self.lines:
            written = _nanoseconds(line) // 1_000_000
            moment = -(-written // (step * 1000)) * step
            if start <= moment <= end:
                windows.setdefault((node, moment), []).append(written)
        edge = min if match[1] == "min" else max
        values: dict[str, list[list[Any]]] = {}
        for (node, moment), written_in in sorted(windows.items()):
            values.setdefault(node, []).append([moment, str(edge(written_in))])
        return [{"metric": {"cluster": "test", "node": node}, "values": each} for node, each in values.items()]


@contextmanager
def serve(lines: Sequence[tuple[str, bytes]] = (), tls: ssl.SSLContext | None = None) -> Iterator[FakeLoki]:
    """Runs it on a free port, over TLS where a context is given."""
    fake = FakeLoki(list(lines))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
            fake.requests.append((parts.path, parameters, dict(self.headers)))
            if fake.redirect:
                self.send_response(302)
                self.send_header("Location", fake.redirect)
                self.end_headers()
                return
            code, data = fake.answer(parts.path, parameters)
            body = (
                json.dumps({"status": "success", "data": data}) if code == 200 and not isinstance(data, str) else data
            )
            self.send_response(code)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: ARG002 - the server's own name
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        fake.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@functools.cache
def _nanoseconds(line: bytes) -> int:
    match = re.search(rb'"stageTimestamp":"([^"]+)"', line)
    if match is None:
        return 0
    moment = datetime.fromisoformat(match[1].decode())
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


def _passes(kind: str, operand: str, text: str) -> bool:
    return operand in text if kind == "|=" else re.search(operand, text) is not None


def certificate_and_key(folder: Path) -> tuple[Path, Path]:
    """A certificate for the loopback that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fake Loki")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
