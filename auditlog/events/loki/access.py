"""Where Loki is and who asks it."""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from auditlog.events.sources import SourceError

_API = "/loki/api/"


class LokiError(SourceError):
    """Loki cannot be asked, or does not answer as Loki does; the message names its address."""


class DeniedError(LokiError):
    """Loki does not take these credentials: asking again helps nothing."""


@dataclass(frozen=True, slots=True)
class Names:
    """What messages call the address and the credentials: as the person gives them."""

    url: str
    tenant: str
    user: str
    secret: str
    ca: str


OPTIONS = Names("--loki", "--tenant", "--loki-user", "--loki-token-file", "--loki-ca")


@dataclass(frozen=True, slots=True)
class LokiAccess:
    """Address and credentials. ``url`` ends before /loki/api; either ``user`` and ``password``, or ``token``, or none.

    ``tenant`` is sent as X-Scope-OrgID. ``ca_file`` or ``ca_text`` hold the certificates that Loki's is checked with;
    both empty: the system's. ``timeout`` is in seconds, for one request. ``socket`` is a UNIX socket that leads to
    the host of ``url``, "" where this machine reaches it itself.
    """

    url: str
    tenant: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    ca_file: str = ""
    timeout: float = 120
    ca_text: str = ""
    socket: str = ""
    names: Names = OPTIONS

    def check(self) -> None:
        """Raises LokiError when the address cannot be one of a Loki."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise LokiError(f"--loki is {self.url!r}; allowed: an address such as https://loki.example.com:3100")
        if parts.username or parts.password:
            raise LokiError(
                f"--loki names credentials for {parts.hostname}; allowed: --loki-user with --loki-password-file, or "
                "--loki-token-file, because others on this machine see arguments"
            )
        if _API in self.url or parts.query or parts.fragment:
            raise LokiError(f"--loki is {self.url!r}; allowed: the address up to {_API}, without it")

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
        """The rules for https. Raises LokiError when the CA file cannot be used."""
        try:
            return ssl.create_default_context(cafile=self.ca_file or None, cadata=self.ca_text or None)
        except (OSError, ssl.SSLError) as problem:
            given = " ".join(part for part in (self.names.ca, self.ca_file) if part)
            raise LokiError(f"{given}: {problem.strerror or 'holds no certificate'}; allowed: PEM") from problem

    def hint(self, code: int) -> str:
        """What may be the reason for an HTTP status, "" where none is likely."""
        names = self.names
        return {
            401: f"; {names.tenant}, {names.user} or {names.secret} may be missing or wrong",
            403: f"; these credentials or this {names.tenant} may not read",
            404: f"; {names.url} takes the address up to /loki/api, and something else may answer there",
        }.get(code, "")


def secret_from_file(option: str, file: str) -> str:
    """A password or token: the file's first line. Raises LokiError when there is none."""
    if not file:
        return ""
    try:
        lines = Path(file).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise LokiError(f"{option} {file}: {getattr(problem, 'strerror', None) or 'not text'}") from problem
    if not lines or not lines[0].strip():
        raise LokiError(f"{option} {file}: the first line is empty; allowed: the secret on it")
    return lines[0].strip()
