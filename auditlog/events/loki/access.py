"""Loki's address and the credentials for it."""

from __future__ import annotations

from dataclasses import dataclass

from auditlog.events.http_access import AccessError, HttpAccess, Names


class LokiError(AccessError):
    """Loki cannot be queried, or the answer is not Loki's. The message names its address."""


class DeniedError(LokiError):
    """Loki rejects these credentials. Another try does not help."""


OPTIONS = Names("--loki", "--tenant", "--loki-user", "--loki-token-file", "--loki-ca")


@dataclass(frozen=True, slots=True)
class LokiAccess(HttpAccess):
    """Address and credentials of a Loki."""

    API = "/loki/api/"
    EXAMPLE = "https://loki.example.com:3100"
    ERROR = LokiError

    names: Names = OPTIONS
