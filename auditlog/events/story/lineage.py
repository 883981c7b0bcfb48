"""Where a credential came from, what it was used for, and what was issued with it.

A TokenRequest's event names the token that it issued and the credential that asked for it, so one leads to the next.
A certificate leads on if the log has the body of its CertificateSigningRequest, with the certificate in it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec

from auditlog.events.coverage import ANY_TIME, CoverageWatch, TimeRange
from auditlog.events.event import Event, Sighting
from auditlog.events.outcome import Cause, Doubt
from auditlog.events.questions.attribution import WhoQuery
from auditlog.events.questions.attribution_need import who_need
from auditlog.events.questions.common import Answer, one_per_request
from auditlog.events.story.change import Bodies
from auditlog.events.story.credential import CERTIFICATE, TOKEN, credential_of, issued_by, written_id
from auditlog.events.story.entry import Entry, entry, sentence
from auditlog.events.story.timeline import joined
from auditlog.policy.recording import Need

KEPT_ISSUES = 200_000
"""The most issued tokens that are remembered. Kubelet asks for one for each Pod about every 48 minutes."""

_PEM = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class Link:
    """One step back: a credential, and the request that issued it."""

    credential: str
    """Its ID; "" if the event names none."""
    user: str
    """Who was authenticated by it."""
    issued: Entry | None
    """The request that issued it; None if it is not known."""
    unknown: str = ""
    """Why it is not known; "" if it is."""
    advice: str = ""
    """What would make it known."""


@dataclass(frozen=True, slots=True)
class Use:
    """What a credential was used for."""

    credential: str
    user: str
    issued_with: str
    """The credential that it was issued with; "" for the credential that was asked about."""
    requests: int
    refused: int
    first: datetime | None
    last: datetime | None
    addresses: tuple[str, ...]
    programs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LineageAnswer(Answer):
    """`chain` goes back from the subject. `uses` begins with it and goes on with what was issued with it."""

    subject: str
    chain: tuple[Link, ...]
    uses: tuple[Use, ...]
    entries: tuple[Entry, ...]
    """Every request with one of these credentials, oldest first."""

    @property
    def found(self) -> bool:
        """Whether the log has what was asked about."""
        return bool(self.chain)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Where the chain ends, and what did not fit."""
        doubts = [Doubt(Cause.CONTENT, link.unknown, link.advice) for link in self.chain if link.unknown]
        if self.left_out:
            doubts.append(Doubt(Cause.CONTENT, f"{self.left_out} earlier requests are not shown", "--limit shows more"))
        return tuple(doubts)


@dataclass(slots=True)
class _Book:
    """What one pass over a log finds: issued credentials, and the request that was asked about."""

    asked: str
    request: Event | None = None
    is_used: str = ""
    """The credential that was asked about, as the log writes it."""
    owners: dict[str, str] = field(default_factory=dict)
    tokens: OrderedDict[str, Entry] = field(default_factory=OrderedDict)
    certificates: dict[str, str] = field(default_factory=dict)
    """Names of CertificateSigningRequests by the fingerprint of the signed certificate."""
    signing_requests: dict[str, Entry] = field(default_factory=dict)

    def note(self, sighting: Sighting) -> None:
        event = sighting.event
        if event.audit_id == self.asked:
            self.request = event
        credential = credential_of(event)
        if credential and (credential == self.asked or credential.partition("=")[2] == self.asked):
            self.is_used = credential
            self.owners[credential] = event.user.username
        issued = issued_by(event)
        if issued:
            self.tokens[issued] = self._entry(sighting)
            if len(self.tokens) > KEPT_ISSUES:
                self.tokens.popitem(last=False)
            reference = event.object_ref
            if reference is not None:
                self.owners.setdefault(issued, f"system:serviceaccount:{reference.namespace}:{reference.name}")
        elif event.object_ref is not None and event.object_ref.resource == "certificatesigningrequests":
            self._note_certificate(sighting)

    def _note_certificate(self, sighting: Sighting) -> None:
        event = sighting.event
        body = _body(event)
        metadata = body.get("metadata")
        named = metadata.get("name") if isinstance(metadata, Mapping) else None
        reference = event.object_ref
        name = (reference.name if reference else "") or (named if isinstance(named, str) else "")
        if not name or event.code >= 400:
            return
        if event.verb == "create" and reference is not None and not reference.subresource:
            self.signing_requests[name] = self._entry(sighting)
        status = body.get("status")
        fingerprint = _fingerprint(status.get("certificate")) if isinstance(status, Mapping) else ""
        if fingerprint:
            self.certificates[fingerprint] = name

    @staticmethod
    def _entry(sighting: Sighting) -> Entry:
        told = entry(sighting, Bodies().change(sighting.event))
        return replace(told, sentence=sentence(told))

    def issue_of(self, credential: str) -> Entry | None:
        """The request that issued a credential."""
        if credential.startswith(CERTIFICATE):
            return self.signing_requests.get(self.certificates.get(credential, ""))
        return self.tokens.get(credential)

    def issued_with(self, credential: str) -> list[str]:
        return [token for token, issue in self.tokens.items() if credential and issue.credential == credential]


def lineage(
    sightings: Iterable[Sighting],
    find: Callable[[Sequence[str]], Iterator[Sighting]],
    asked: str,
    time: TimeRange = ANY_TIME,
    limit: int = 1000,
) -> LineageAnswer:
    """The chain behind an event or a credential, and everything that was done with it and with what it issued.

    `asked` is an auditID or a credential's ID. `find` returns every event whose line holds one of some texts.
    """
    watch = CoverageWatch(time)
    book = _Book(written_id(asked) or asked.strip())

    def noted() -> Iterator[Sighting]:
        for sighting in sightings:
            book.note(sighting)
            yield sighting

    for _ in watch.over(noted()):
        pass
    start = _start(book)
    if start is None:
        return LineageAnswer(watch.result(), 0, asked, (), (), ())
    credential, user = start
    family = _family(book, credential) if credential else _issued_by_request(book)
    kept, left_out = _requests(find, frozenset(family), time, limit)
    bodies = Bodies()
    entries = [entry(each, bodies.change(each.event)) for each in kept]
    told = tuple(replace(each, sentence=sentence(each)) for each in joined(entries))
    uses = tuple(_use(book, each, parent, user, entries) for each, parent in family.items())
    return LineageAnswer(watch.result(), left_out, asked, tuple(_chain(book, credential, user)), uses, told)


def lineage_wants(asked: str) -> Callable[[Event], bool]:
    """Whether the first pass may want an event: it is about the ID, or issues a credential."""
    known = written_id(asked) or asked.strip()

    def wants(event: Event) -> bool:
        reference = event.object_ref
        if reference is not None and reference.resource in ("serviceaccounts", "certificatesigningrequests"):
            return True
        credential = credential_of(event)
        return event.audit_id == known or (bool(credential) and known in (credential, credential.partition("=")[2]))

    return wants


def lineage_need() -> Need:
    """Every request: a credential may have been used for any of them."""
    return replace(who_need(WhoQuery()), what="requests with such a credential")


def _start(book: _Book) -> tuple[str, str] | None:
    """The credential to begin with, and its user: the credential that was asked about, or the request's."""
    if book.request is not None:
        return credential_of(book.request), book.request.user.username
    for credential in (book.is_used, book.asked, TOKEN + book.asked):
        if credential and (credential in book.owners or book.issue_of(credential) is not None):
            return credential, book.owners.get(credential, "")
    return None


def _chain(book: _Book, credential: str, user: str) -> Iterator[Link]:
    seen: set[str] = set()
    while credential not in seen:
        seen.add(credential)
        issue = book.issue_of(credential)
        if issue is None:
            yield Link(credential, user, None, *_unknown(credential, user))
            return
        yield Link(credential, user, issue)
        credential, user = issue.credential, issue.user


def _unknown(credential: str, user: str) -> tuple[str, str]:
    """Why the chain ends here, and what would lead on."""
    if credential.startswith(CERTIFICATE):
        return (
            f"who gave {user} the certificate {credential} cannot be known: the log has no CertificateSigningRequest "
            "with it, and what kubeadm or an outside authority signs is in no audit log",
            "A rule at level Request for certificatesigningrequests/status records certificates that the cluster "
            "signs. For others compare `openssl x509 -fingerprint -sha256` of the kubeconfigs that were handed out",
        )
    if credential:
        return (
            f"who asked for {credential} cannot be known: the log does not have the request that issued it",
            "Give the logs of the time before its first use, of every node. The policy must record "
            "serviceaccounts/token at level Metadata",
        )
    return (
        f"with which credential {user or 'the caller'} was authenticated cannot be known: the event names none",
        "The API server names tokens since Kubernetes 1.30 and certificates since 1.32; tokens of an identity provider "
        "only if they have a claim jti. For those ask the provider's own log",
    )


def _family(book: _Book, credential: str) -> dict[str, str]:
    """The credential and all that were issued with it, directly or not; each with the one that it was issued with."""
    found = {credential: ""}
    waiting = [credential]
    while waiting:
        parent = waiting.pop()
        for token in book.issued_with(parent):
            if token not in found:
                found[token] = parent
                waiting.append(token)
    return found


def _issued_by_request(book: _Book) -> dict[str, str]:
    """What was issued by the request, whose event names no credential of its caller."""
    issued = issued_by(book.request) if book.request is not None else ""
    return _family(book, issued) if issued else {}


def _requests(
    find: Callable[[Sequence[str]], Iterator[Sighting]], credentials: frozenset[str], time: TimeRange, limit: int
) -> tuple[list[Sighting], int]:
    kept: list[tuple[datetime, int, Sighting]] = []
    left_out = 0
    if not credentials:
        return [], 0
    texts = sorted(each.partition("=")[2] for each in credentials)
    used = (
        each
        for each in find(texts)
        if credential_of(each.event) in credentials
        and time.overlaps(each.event.request_received_timestamp, each.event.stage_timestamp)
    )
    for number, sighting in enumerate(one_per_request(used)):
        heapq.heappush(kept, (sighting.event.request_received_timestamp, number, sighting))
        if len(kept) > limit:
            heapq.heappop(kept)
            left_out += 1
    return [sighting for _, _, sighting in sorted(kept, key=lambda each: each[:2])], left_out


def _use(book: _Book, credential: str, parent: str, user: str, entries: Sequence[Entry]) -> Use:
    own = [each for each in entries if each.credential == credential]
    return Use(
        credential,
        book.owners.get(credential, "") or (own[0].user if own else user),
        parent,
        len(own),
        sum(each.refused for each in own),
        own[0].time if own else None,
        own[-1].last if own else None,
        tuple(dict.fromkeys(each.source_ips[0] for each in own if each.source_ips)),
        tuple(dict.fromkeys(each.user_agent for each in own if each.user_agent)),
    )


def _body(event: Event) -> Mapping[str, Any]:
    for raw in (event.response_object, event.request_object):
        try:
            body = msgspec.json.decode(raw) if len(raw) else None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if isinstance(body, Mapping):
            return body
    return {}


def _fingerprint(encoded: object) -> str:
    """The ID that the API server gives a client certificate: SHA-256 of its DER, or of the first one in a chain."""
    if not isinstance(encoded, str):
        return ""
    try:
        text = base64.b64decode(encoded).decode("ascii")
        begin, end = (text.index(mark) for mark in _PEM)
        der = base64.b64decode(text[begin + len(_PEM[0]) : end])
    except (ValueError, binascii.Error):
        return ""
    return CERTIFICATE + hashlib.sha256(der).hexdigest()
