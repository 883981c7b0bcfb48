"""How requests get to a server: over a connection from this machine, or through a UNIX socket that leads there."""

from __future__ import annotations

import functools
import http.client
import socket
import urllib.request
from collections.abc import Sequence
from typing import Any

from auditlog.events.http_access import HttpAccess


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Makes urllib raise an error for a redirect, which would take the credentials to another address."""

    def redirect_request(self, *_: Any) -> None:
        return None


def opener(access: HttpAccess) -> urllib.request.OpenerDirector:
    """An opener for a server's URLs that follows no redirect. Raises the error of ``access``."""
    return urllib.request.build_opener(NoRedirect(), *_ways(access))


def _ways(access: HttpAccess) -> Sequence[urllib.request.BaseHandler]:
    """The handlers for http and https. A socket leads to the server itself, so the environment's proxy is not used."""
    context = access.tls()
    if not access.socket:
        return (urllib.request.HTTPSHandler(context=context),)
    return (
        urllib.request.ProxyHandler({}),
        _PlainHandler(access.socket),
        _TlsHandler(access.socket, context=context),
    )


def _connected(path: str, timeout: float | None) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    connection.connect(path)
    return connection


class _PlainConnection(http.client.HTTPConnection):
    def __init__(self, path: str, host: str, **options: Any) -> None:
        super().__init__(host, **options)
        self._path = path

    def connect(self) -> None:
        self.sock = _connected(self._path, self.timeout)


class _TlsConnection(http.client.HTTPSConnection):
    def __init__(self, path: str, host: str, **options: Any) -> None:
        super().__init__(host, **options)
        self._path, self._tls = path, options["context"]

    def connect(self) -> None:
        self.sock = self._tls.wrap_socket(_connected(self._path, self.timeout), server_hostname=self.host)


class _PlainHandler(urllib.request.HTTPHandler):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_PlainConnection, self._path), req)


class _TlsHandler(urllib.request.HTTPSHandler):
    def __init__(self, path: str, *, context: Any) -> None:
        super().__init__(context=context)
        self._path, self._tls = path, context

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_TlsConnection, self._path), req, context=self._tls)
