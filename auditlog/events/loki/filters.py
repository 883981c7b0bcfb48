"""What Loki can leave out before a question is asked: filters on the text of the line.

They let through everything that the question may want, and more: the questions decide. They use only the line. So the
answer is the same whatever shipper sent the log, with or without structured metadata.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from auditlog.events.questions import WhoQuery
from auditlog.events.story.credential import ISSUED
from auditlog.events.story.subject import Kind, Subject

ANONYMOUS = r'|~ `"system:anonymous"|"system:unauthenticated"|"user": ?\{ ?(\}|"uid"|"groups"|"extra")|"username": ?""`'
"""Requests without an identity. The event has no user name if authentication failed."""

ESCALATIONS = '|= `"rbac.authorization.k8s.io"` |~ `"(create|update|patch)"`'
SECRETS = '|= `"secrets"` |~ `"(get|list|watch)"`'
DEPRECATED = "|= `k8s.io/deprecated`"
HEARTBEAT = '|= `"system:apiserver"` |= `"leases"` |= `"update"` |= `"kube-system"`'
"""Each API server's renewals of its own lease."""

_PLAIN = re.compile(r"[A-Za-z0-9@._:/-]+")
"""Texts that JSON writes without escapes."""


def who_filter(query: WhoQuery) -> str:
    """The filter for `who`. It lets through requests that may be about the name although it is not in the line.

    A deletecollection has no name and may have deleted this one. A creation has no name if the API server chose it.
    """
    parts = []
    verbs = [_literal(verb) for verb in query.verbs]
    if len(verbs) == 1 and verbs[0]:
        parts.append(f"|= `{verbs[0]}`")
    elif verbs and all(verbs):
        parts.append(f"|~ `{'|'.join(map(re.escape, verbs))}`")
    if literal := _literal(query.name):
        creations = "" if query.verbs and "create" not in query.verbs else '|"create"'
        parts.append(f"|~ `{re.escape(literal)}|deletecollection{creations}`")
    if literal := _literal(query.namespace):
        parts.append(f"|= `{literal}`")
    if literal := _literal(re.split("[./]", query.resource)[0]):
        parts.append(f"|= `{literal}`")
    if literal := _literal(query.user):
        parts.append(f"|= `{literal}`")
    return " ".join(parts)


def timeline_filter(subject: Subject) -> str:
    """The filter for a timeline. Names of children begin with their owner's."""
    if subject.kind is Kind.OBJECT:
        return who_filter(WhoQuery(name=subject.name, namespace=subject.namespace))
    texts = (subject.credential.partition("=")[2], subject.user, subject.address, subject.name)
    return " ".join(f"|= `{literal}`" for literal in map(_literal, texts) if literal)


def lineage_filter(asked: str) -> str:
    """The filter for what issues credentials, and for the ID that is asked about."""
    return any_of((ISSUED, "certificatesigningrequests", asked.partition("=")[2] or asked))


def any_of(texts: Sequence[str]) -> str:
    """The filter for every line that holds one of these texts."""
    return f"|~ `{'|'.join(map(re.escape, texts))}`"


def of_resource(plural: str) -> str:
    """The filter for every event about a resource."""
    return f'|= `"resource":"{plural}"`' if _PLAIN.fullmatch(plural) else ""


def _literal(pattern: str) -> str:
    """The longest text that a value must hold to match a pattern; "" if there is none that JSON writes unescaped."""
    return max((piece for piece in pattern.split("*") if _PLAIN.fullmatch(piece)), key=len, default="")
