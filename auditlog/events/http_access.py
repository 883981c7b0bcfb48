"""Where a server is that is asked over HTTP, and who asks it: what Loki and Prometheus have in common."""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from auditlog.events.sources import SourceError


class AccessError(SourceError):
    """A server cannot be asked, or does not answer as it should; the message names its address."""


@dataclass(frozen=True, slots=True)
class Names:
    """What messages call the address and the credentials: as the person gives them."""

    url: str
    tenant: str
    user: str
    secret: str
    ca: str


@dataclass(frozen=True, slots=True)
class HttpAccess:
    """Address and credentials. ``url`` ends before ``API``; either ``user`` and ``password``, or ``token``, or none.

    ``tenant`` is sent as X-Scope-OrgID. ``ca_file`` or ``ca_text`` hold the certificates that the server's is checked
    with; both empty: the system's. ``timeout`` is in seconds, for one request. ``socket`` is a UNIX socket that leads
    to the host of ``url``, "" where this machine reaches it itself.
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
        """Raises ``ERROR`` when the address cannot be one of such a server."""
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
        """What every request carries."""
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
        """The rules for https. Raises ``ERROR`` when the CA file cannot be used."""
        try:
            return ssl.create_default_context(cafile=self.ca_file or None, cadata=self.ca_text or None)
        except (OSError, ssl.SSLError) as problem:
            given = " ".join(part for part in (self.names.ca, self.ca_file) if part)
            raise self.ERROR(f"{given}: {problem.strerror or 'holds no certificate'}; allowed: PEM") from problem

    def hint(self, code: int) -> str:
        """What may be the reason for an HTTP status, "" where none is likely."""
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
