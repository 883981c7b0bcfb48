"""The lineage of a credential: back to who asked for it, and on to what was done with it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from auditlog.events.event import Sighting
from auditlog.events.story.lineage import LineageAnswer, lineage
from tests.unit.events.generate import ALICE, NODES
from tests.unit.events.incident import (
    ADMIN,
    CERTIFICATE,
    DEPLOYER,
    FIRST,
    READER,
    SECOND,
    incident,
    issued,
    request,
    seen,
    with_credential,
)
from tests.unit.events.test_command_line import auditlog


def asked(text: str, log: list[dict[str, Any]] | None = None, **more: Any) -> LineageAnswer:
    sightings = [seen(each) for each in (incident() if log is None else log)]

    def find(texts: Sequence[str]) -> Iterator[Sighting]:
        values = incident() if log is None else log
        return (each for each, value in zip(sightings, values, strict=True) if any(t in str(value) for t in texts))

    return lineage(sightings, find, text, **more)


def test_a_stolen_token_leads_back_to_the_person() -> None:
    answer = asked(SECOND)
    assert [(each.credential, each.user) for each in answer.chain] == [
        (SECOND, "system:serviceaccount:prod:reader"),
        (FIRST, "system:serviceaccount:ci:deployer"),
        (CERTIFICATE, "alice@example.org"),
    ]
    first, second, third = answer.chain
    assert first.issued is not None
    assert first.issued.sentence == (
        "system:serviceaccount:ci:deployer, acting as system:serviceaccount:prod:admin, issued a token for "
        f"serviceaccounts reader in prod: {SECOND}, from 203.0.113.9 with curl"
    )
    assert second.issued is not None
    assert second.issued.user == "alice@example.org"
    assert third.issued is None
    assert "cannot be known" in third.unknown
    assert "certificatesigningrequests/status" in third.advice


def test_everything_that_was_done_with_a_credential_and_what_it_issued() -> None:
    answer = asked(FIRST)
    assert [(each.credential, each.issued_with, each.requests, each.refused) for each in answer.uses] == [
        (FIRST, "", 3, 0),
        (SECOND, FIRST, 3, 1),
    ]
    assert answer.uses[1].addresses == ("198.51.100.7",)
    assert [each.verb for each in answer.entries] == ["create", "get", "get", "delete", "patch", "delete"]


@pytest.mark.parametrize("text", [SECOND, SECOND.removeprefix("JTI="), "0021-000"])
def test_a_token_is_asked_by_its_id_or_by_a_request_with_it(text: str) -> None:
    assert asked(text).chain == asked(SECOND).chain


def test_what_the_log_does_not_have_is_not_found() -> None:
    answer = asked("JTI=dddddddd-1111-4111-8111-111111111111")
    assert (answer.found, answer.chain) == (False, ())


def test_a_token_whose_request_is_missing_ends_the_chain_with_what_would_help() -> None:
    (link,) = asked(SECOND, [request(READER, "get", "secrets", "x", 0)]).chain
    assert "the log does not have the request that issued it" in link.unknown
    assert "serviceaccounts/token" in link.advice


def test_an_event_without_a_credential_still_says_what_it_issued() -> None:
    log = [
        request(
            ALICE, "create", "serviceaccounts/token", "deployer", 0, "ci", annotations=issued(FIRST), audit_id="mint"
        ),
        request(DEPLOYER, "get", "secrets", "x", 1),
    ]
    answer = asked("mint", log)
    (link,) = answer.chain
    assert "names none" in link.unknown
    assert [each.credential for each in answer.uses] == [FIRST]
    assert [each.name for each in answer.entries] == ["x"]


def test_a_circle_of_credentials_ends() -> None:
    log = [
        request(with_credential(ALICE, FIRST), "create", "serviceaccounts/token", "a", 0, annotations=issued(SECOND)),
        request(with_credential(ALICE, SECOND), "create", "serviceaccounts/token", "a", 1, annotations=issued(FIRST)),
    ]
    assert [each.credential for each in asked(FIRST, log).chain] == [FIRST, SECOND]


def test_a_certificate_that_the_cluster_signed_leads_to_its_request() -> None:
    der = b"as good as any"
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"
    fingerprint = f"X509SHA256={hashlib.sha256(der).hexdigest()}"
    body = {"metadata": {"name": "bob-1"}, "status": {"certificate": base64.b64encode(pem).decode()}}
    log = [
        request(ADMIN, "create", "certificatesigningrequests", "bob-1", 0, ""),
        request(
            NODES[0],
            "update",
            "certificatesigningrequests/status",
            "bob-1",
            1,
            "",
            level="Request",
            request_object=body,
        ),
        request(with_credential(ALICE, fingerprint), "get", "secrets", "x", 2),
    ]
    chain = asked(fingerprint, log).chain
    assert chain[0].issued is not None
    assert (chain[0].issued.name, chain[1].credential) == ("bob-1", CERTIFICATE)


class TestCommand:
    def test_the_chain_and_what_was_done(self, log: Path) -> None:
        done = auditlog("lineage", SECOND, log)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"Asked about: {SECOND} of system:serviceaccount:prod:reader" in " ".join(done.stdout.split())
        assert "Cannot be known: who gave alice@example.org the certificate" in " ".join(done.stdout.split())
        answer = json.loads(auditlog("lineage", FIRST, "-o", "json", log).stdout)["answer"]
        assert [each["requests"] for each in answer["uses"]] == [3, 3]

    def test_what_is_not_there_cannot_be_known(self, log: Path) -> None:
        assert auditlog("lineage", "dddddddd-1111-4111-8111-111111111111", log).returncode == 3

    @pytest.mark.parametrize(
        ("words", "message"),
        [(("alice",), "'alice' is no ID; allowed"), ((SECOND, "-"), "standard input (-) can be read only once")],
    )
    def test_slips(self, words: tuple[str, ...], message: str) -> None:
        done = auditlog("lineage", *words)
        assert done.returncode == 2
        assert message in done.stderr
