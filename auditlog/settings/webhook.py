"""The settings of the API server's webhook backend."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Annotated

from auditlog.settings import delivery
from auditlog.settings.kinds import Text
from auditlog.settings.reader import Group, Reader
from auditlog.settings.record import filled, group_of
from auditlog.settings.setting import defaulted, optional, required
from auditlog.settings.texts import DURATION_TEXT, HEADER_VALUE, PATH_ON_NODES, plain_url

DEFAULT_WEBHOOK_PATH = "/etc/kubernetes/audit-webhook.yaml"


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """The API server's webhook backend: a server that events are posted to, and what the API server shows it.

    At most one of `token` and the client certificate is set. Credentials stay out of what this prints as.
    """

    server: Annotated[str, SERVER]
    """The URL that events are posted to."""
    certificate_authority: Annotated[str | None, CERTIFICATE_AUTHORITY] = None
    """PEM certificates that the server's is checked with; None for the node's own authorities."""
    client_certificate: Annotated[str | None, CLIENT_CERTIFICATE] = None
    """The API server's PEM certificate; None without one."""
    client_key: Annotated[str | None, CLIENT_KEY] = field(default=None, repr=False)
    """The PEM key of `client_certificate`; None without one."""
    token: Annotated[str | None, TOKEN] = field(default=None, repr=False)
    """The bearer token; None without one."""
    path: Annotated[str, PATH] = DEFAULT_WEBHOOK_PATH
    """The absolute path of the kubeconfig on the nodes that holds all this."""
    initial_backoff: Annotated[str | None, INITIAL_BACKOFF] = None
    """The wait before the first retry, as a Go duration; None for the API server's default."""
    delivery: delivery.Delivery = field(default_factory=delivery.Delivery)
    """How events reach the webhook."""


def _is_server(value: str) -> bool:
    return plain_url(value) is not None and value.isprintable()


def _is_certificate(value: str) -> bool:
    blocks = [f"-----BEGIN {block}" for block in value.split("-----BEGIN ")[1:]]
    try:
        for block in blocks:
            ssl.PEM_cert_to_DER_cert(block)
    except ValueError:
        return False
    return bool(blocks)


def _is_private_key(value: str) -> bool:
    lines = value.strip().splitlines()
    if len(lines) < 3 or "ENCRYPTED" in value:
        return False
    first, last = lines[0], lines[-1]
    return (
        first.startswith("-----BEGIN ") and first.endswith("PRIVATE KEY-----") and last == first.replace("BEGIN", "END")
    )


_CERTIFICATES = Text("PEM certificates", r"[\s\S]*-----BEGIN CERTIFICATE-----[\s\S]*", _is_certificate)

SERVER = required(
    "server",
    Text("an https:// or http:// URL without user and password", r"https?://\S+", _is_server),
    "The URL to post events to.",
)
CERTIFICATE_AUTHORITY = optional(
    "certificateAuthority",
    _CERTIFICATES,
    "The certificate authority that signed the server's certificate.",
    otherwise="the certificate authorities of the API server's system",
)
CLIENT_CERTIFICATE = optional(
    "clientCertificate", _CERTIFICATES, "The API server's client certificate. Requires `clientKey`."
)
CLIENT_KEY = optional(
    "clientKey",
    Text("an unencrypted private key in PEM form", valid=_is_private_key, hidden=True),
    "The key of `clientCertificate`.",
    secret=True,
)
TOKEN = optional(
    "token",
    Text("a bearer token: printable ASCII without spaces", HEADER_VALUE, hidden=True),
    "A bearer token, instead of a client certificate.",
    secret=True,
)
PATH = defaulted("path", PATH_ON_NODES, DEFAULT_WEBHOOK_PATH, "The kubeconfig file on the nodes that holds all this.")
INITIAL_BACKOFF = optional(
    "initialBackoff",
    DURATION_TEXT,
    "How long the API server waits before it retries a failed post.",
    otherwise="the API server's own",
)
_CREDENTIALS = (CLIENT_CERTIFICATE, CLIENT_KEY, TOKEN)
WEBHOOK = Group((*group_of(WebhookSettings).settings, *delivery.SETTINGS))


def parse_webhook(reader: Reader | None) -> WebhookSettings | None:
    if reader is None:
        return None
    server = reader.read(SERVER) or ""
    _check_credentials(reader, server)
    made = {"server": server, "delivery": delivery.parse_delivery(reader, delivery.WEBHOOK_DEFAULTS)}
    return filled(WebhookSettings, reader, made)


def _check_credentials(reader: Reader, server: str) -> None:
    if reader.has(CLIENT_CERTIFICATE) != reader.has(CLIENT_KEY):
        missing = CLIENT_KEY if reader.has(CLIENT_CERTIFICATE) else CLIENT_CERTIFICATE
        reader.problem(missing, "is missing", "clientCertificate and clientKey together")
    if reader.has(TOKEN) and (reader.has(CLIENT_CERTIFICATE) or reader.has(CLIENT_KEY)):
        reader.problem(TOKEN, "is given together with a client certificate", "one of the two")
    if server.startswith("http://"):
        for setting in filter(reader.has, (CERTIFICATE_AUTHORITY, *_CREDENTIALS)):
            reader.problem(setting, f"is given for {server!r}", "only with an https:// server")
