"""Address and credentials of a server that is queried over HTTP: what Loki and Prometheus share."""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from auditlog.events.sources import SourceError


class AccessError(SourceError):
    """A server cannot be queried, or its answer is not as expected. The message names its address."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of address and credentials in messages: the options or settings that people give them in."""

    url: str
    tenant: str
    user: str
    secret: str
    ca: str


@dataclass(frozen=True, slots=True)
class HttpAccess:
    """Address and credentials. ``url`` ends before ``API``; either ``user`` and ``password``, or ``token``, or none.

    ``tenant`` is sent as X-Scope-OrgID. ``ca_file`` or ``ca_text`` hold the authorities that may sign the server's
    certificate. Default: the system's. ``timeout`` is in seconds, for one request. ``socket`` is a UNIX socket that
    leads to the host of ``url``; "" if this machine reaches it directly.
    """

    API: ClassVar[str]
    EXAMPLE: ClassVar[str]
    ERROR: ClassVar[type[AccessError]]

    url: str
    tenant: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    ca_file: str = ""
    timeout: float = 120
    ca_text: str = ""
    socket: str = ""
    names: Names = Names("", "", "", "", "")

    def check(self) -> None:
        """Raises ``ERROR`` if the address cannot be such a server's."""
        parts, option = urlsplit(self.url), self.names.url
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise self.ERROR(f"{option} is {self.url!r}; allowed: an address such as {self.EXAMPLE}")
        if parts.username or parts.password:
            raise self.ERROR(
                f"{option} names credentials for {parts.hostname}; allowed: {option}-user with {option}-password-file, "
                f"or {option}-token-file, because others on this machine see arguments"
            )
        if self.API in self.url or parts.query or parts.fragment:
            raise self.ERROR(f"{option} is {self.url!r}; allowed: the address up to {self.API}, without it")

    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        headers = {"Accept": "application/json"}
        if self.tenant:
            headers["X-Scope-OrgID"] = self.tenant
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        elif self.user:
            credentials = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            headers["Authorization"] = f"Basic {credentials}"
        return headers

    def tls(self) -> ssl.SSLContext:
        """The TLS settings for https. Raises ``ERROR`` if the CA file cannot be used."""
        try:
            return ssl.create_default_context(cafile=self.ca_file or None, cadata=self.ca_text or None)
        except (OSError, ssl.SSLError) as problem:
            given = " ".join(part for part in (self.names.ca, self.ca_file) if part)
            raise self.ERROR(f"{given}: {problem.strerror or 'holds no certificate'}; allowed: PEM") from problem

    def hint(self, code: int) -> str:
        """The likely reason for an HTTP status; "" if there is none."""
        names = self.names
        return {
            401: f"; {names.tenant}, {names.user} or {names.secret} may be missing or wrong",
            403: f"; these credentials or this {names.tenant} may not read",
            404: f"; {names.url} takes the address up to {self.API}, and something else may answer there",
        }.get(code, "")


def secret_from_file(option: str, file: str) -> str:
    """A password or token: the file's first line. Raises AccessError when there is none."""
    if not file:
        return ""
    try:
        lines = Path(file).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise AccessError(f"{option} {file}: {getattr(problem, 'strerror', None) or 'not text'}") from problem
    if not lines or not lines[0].strip():
        raise AccessError(f"{option} {file}: the first line is empty; allowed: the secret on it")
    return lines[0].strip()
