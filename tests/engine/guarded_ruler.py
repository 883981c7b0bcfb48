"""A ruler behind basic authentication, as an ingress puts it before Loki: real Loki, and a proxy before it."""

from __future__ import annotations

import base64
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

_TENANT = "X-Scope-OrgID"
_PASSED_ON = ("Content-Type", _TENANT)


@dataclass
class GuardedRuler:
    """``loki`` is the address behind it; ``asked`` the method and path of each request that it let through."""

    loki: str
    user: str
    password: str
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)

    def lets_in(self, authorization: str | None) -> bool:
        wanted = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return authorization == f"Basic {wanted}"

    def groups(self, tenant: str) -> dict[str, dict[str, dict[str, Any]]]:
        """What Loki itself says that it has: groups by name, by namespace."""
        code, text = _ask(self.loki, "GET", "/loki/api/v1/rules", {_TENANT: tenant})
        if code == 404:
            return {}
        read = yaml.safe_load(text)
        return {namespace: {group["name"]: group for group in groups} for namespace, groups in read.items()}

    def put(self, tenant: str, namespace: str, group: dict[str, Any]) -> None:
        """As somebody else does."""
        body = yaml.safe_dump(group).encode()
        headers = {_TENANT: tenant, "Content-Type": "application/yaml"}
        code, text = _ask(self.loki, "POST", f"/loki/api/v1/rules/{namespace}", headers, body)
        assert code == 202, text

    def delete(self, tenant: str, namespace: str, group: str) -> None:
        """As somebody else does."""
        code, text = _ask(self.loki, "DELETE", f"/loki/api/v1/rules/{namespace}/{group}", {_TENANT: tenant})
        assert code == 202, text


@contextmanager
def guarding(loki: str, user: str, password: str) -> Iterator[GuardedRuler]:
    """The proxy, until the block ends."""
    ruler = GuardedRuler(loki, user, password)

    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if ruler.lets_in(self.headers.get("Authorization")):
                ruler.asked.append((self.command, self.path))
                given = {name: self.headers[name] for name in _PASSED_ON if self.headers.get(name)}
                code, text = _ask(ruler.loki, self.command, self.path, given, body or None)
            else:
                code, text = 401, b"who are you?"
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = _pass_on  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ruler.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield ruler
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _ask(loki: str, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(f"{loki}{path}", data=body, headers=headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()
