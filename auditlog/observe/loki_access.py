"""Credentials of the stack's Loki, from its settings."""

from __future__ import annotations

from auditlog.events.http_access import Names
from auditlog.events.loki import LokiAccess
from auditlog.settings import LokiSettings

_SECONDS = 10


def access_with(loki: LokiSettings, url: str, setting: str, socket: str = "") -> LokiAccess:
    """Access to a server at ``url`` that takes Loki's credentials. ``setting`` is the key that messages name for it.

    A request may take ten seconds. ``socket`` is a UNIX socket that leads there. Default: none.
    """
    return LokiAccess(
        url=url,
        tenant=loki.tenant or "",
        user=loki.username or "",
        password=loki.password or "",
        ca_text=loki.certificate_authority or "",
        socket=socket,
        timeout=_SECONDS,
        names=Names(setting, "loki.tenant", "loki.username", "loki.password", "loki.certificateAuthority"),
    )
