"""Which credential a request was sent with, and which one a request issued.

The API server names both. The user's extra field holds the ID of the token or the certificate that authenticated the
request. A TokenRequest's event holds the ID of the token that it issued. Token IDs are on by default since Kubernetes
1.30, certificate IDs since 1.32
(https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/,
https://github.com/kubernetes/enhancements/tree/master/keps/sig-auth/4193-bound-service-account-token-improvements).
"""

from __future__ import annotations

import re

from auditlog.events.event import Event, FullUser, resource_name

CREDENTIAL = "authentication.kubernetes.io/credential-id"
ISSUED = "authentication.kubernetes.io/issued-credential-id"
POD = "authentication.kubernetes.io/pod-name"
NODE = "authentication.kubernetes.io/node-name"
TOKEN = "JTI="  # noqa: S105 - how the API server begins the ID of a token
CERTIFICATE = "X509SHA256="

TOKEN_REQUEST = "serviceaccounts/token"  # noqa: S105 - a resource

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


def credential_of(event: Event) -> str:
    """`JTI=…` or `X509SHA256=…`; "" if the event names no credential."""
    return extra(event, CREDENTIAL)


def extra(event: Event, key: str) -> str:
    """The first value of one of the user's extra fields; "" if it is missing or the fields were not decoded."""
    user = event.user
    values = user.extra.get(key, ()) if isinstance(user, FullUser) else ()
    return values[0] if values else ""


def issued_by(event: Event) -> str:
    """The ID of the token that a TokenRequest issued; "" for any other event."""
    return event.annotations.get(ISSUED, "") if resource_name(event.object_ref) == TOKEN_REQUEST else ""


def written_id(text: str) -> str:
    """A credential's ID as the log writes it; "" if `text` is not one.

    `text` may be an ID with its prefix, or a certificate's bare digest. A bare UUID may be a token's ID or an event's,
    so it gives "".
    """
    word = text.strip()
    for prefix in (TOKEN, CERTIFICATE):
        if word.upper().startswith(prefix):
            return prefix + word[len(prefix) :].lower()
    return CERTIFICATE + word.lower() if _DIGEST.fullmatch(word) else ""


def is_uuid(text: str) -> bool:
    """Whether a text may be the ID of a token or of an event."""
    return _UUID.fullmatch(text.strip()) is not None
