"""The settings of the API server's webhook backend."""

from __future__ import annotations

import ssl

from auditlog.settings import delivery
from auditlog.settings.model import DEFAULT_WEBHOOK_PATH, WebhookSettings
from auditlog.settings.reader import Reader, is_absolute, is_header_value, plain_url

_CREDENTIALS = ("clientCertificate", "clientKey", "token")


def parse_webhook(reader: Reader | None) -> WebhookSettings | None:
    if reader is None:
        return None
    reader.allow_only("server", "certificateAuthority", *_CREDENTIALS, "path", "initialBackoff", *delivery.KEYS)
    server = reader.text("server", _is_server, "an https:// or http:// URL without user and password", required=True)
    _check_credentials(reader, server or "")
    return WebhookSettings(
        server=server or "",
        certificate_authority=reader.text("certificateAuthority", _is_certificate, "PEM certificates"),
        client_certificate=reader.text("clientCertificate", _is_certificate, "PEM certificates"),
        client_key=reader.secret("clientKey", _is_private_key, "an unencrypted private key in PEM form"),
        token=reader.secret("token", is_header_value, "a bearer token: printable ASCII without spaces"),
        path=reader.text("path", is_absolute, "an absolute path on the nodes") or DEFAULT_WEBHOOK_PATH,
        initial_backoff=reader.duration("initialBackoff"),
        delivery=delivery.parse_delivery(reader, delivery.WEBHOOK_DEFAULTS),
    )


def _check_credentials(reader: Reader, server: str) -> None:
    if reader.has("clientCertificate") != reader.has("clientKey"):
        missing = "clientKey" if reader.has("clientCertificate") else "clientCertificate"
        reader.problem(missing, "is missing", "clientCertificate and clientKey together")
    if reader.has("token") and (reader.has("clientCertificate") or reader.has("clientKey")):
        reader.problem("token", "is given together with a client certificate", "one of the two")
    if server.startswith("http://"):
        for key in ("certificateAuthority", *_CREDENTIALS):
            if reader.has(key):
                reader.problem(key, f"is given for {server!r}", "only with an https:// server")


def _is_server(value: str) -> bool:
    return plain_url(value) is not None and value.isprintable() and " " not in value


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
