"""Where Loki is and who asks it."""

from __future__ import annotations

from dataclasses import dataclass

from auditlog.events.http_access import AccessError, HttpAccess, Names


class LokiError(AccessError):
    """Loki cannot be asked, or does not answer as Loki does; the message names its address."""


class DeniedError(LokiError):
    """Loki does not take these credentials: asking again helps nothing."""


OPTIONS = Names("--loki", "--tenant", "--loki-user", "--loki-token-file", "--loki-ca")


@dataclass(frozen=True, slots=True)
class LokiAccess(HttpAccess):
    """Address and credentials of a Loki."""

    API = "/loki/api/"
    EXAMPLE = "https://loki.example.com:3100"
    ERROR = LokiError

    names: Names = OPTIONS
