"""The fields that the marker's event must have, in the log and in Loki."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from auditlog.policy.model import Level
from auditlog.proof.event import decode_event, wrong_in_event, wrong_in_loki
from tests.unit.proof.events import MARKER, NAME, line

BODY = {"kind": "ConfigMap"}


def test_an_event_as_an_api_server_writes_it_is_right() -> None:
    assert list(wrong_in_event(decode_event(line()), MARKER, NAME)) == []


def test_it_is_read_out_of_a_containers_log() -> None:
    assert decode_event(f"2026-01-01T00:00:00.5Z stdout F {line()}") == decode_event(line())


@pytest.mark.parametrize("text", ["", "nothing", '{"kind":"Event"', '{"kind":"Event"}'])
def test_what_is_no_event_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|truncated|missing required field"):
        decode_event(text)


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"user": {}}, "it has no user.username"),
        ({"verb": "get"}, "its verb is 'get', not 'create'"),
        ({"requestURI": "/api/v1/x"}, "its requestURI is '/api/v1/x', not '/api/v1/namespaces/kube-system/configmaps'"),
        ({"responseStatus": {}}, "it has no responseStatus.code"),
        ({"stageTimestamp": "2025-01-01T00:00:00Z"}, "its stageTimestamp is before its requestReceivedTimestamp"),
        ({"annotations": {}}, "it has no annotation authorization.k8s.io/decision"),
        ({"level": "Request"}, "its level is Request, and the policy says Metadata"),
        ({"requestObject": BODY}, "it has a requestObject, which level Metadata has not"),
        ({"responseObject": BODY}, "it has a responseObject, which level Metadata has not"),
    ],
)
def test_each_thing_that_is_wrong_is_named(changed: dict[str, Any], wrong: str) -> None:
    assert list(wrong_in_event(decode_event(line(**changed)), MARKER, NAME)) == [wrong]


def test_bodies_are_right_where_the_level_has_them() -> None:
    marker = dataclasses.replace(MARKER, level=Level.REQUEST)
    event = decode_event(line(level="Request", requestObject=BODY))
    assert list(wrong_in_event(event, marker, NAME)) == []
    both = decode_event(line(level="Request", requestObject=BODY, responseObject=BODY))
    assert list(wrong_in_event(both, marker, NAME)) == ["it has a responseObject, which level Request has not"]
    complete = dataclasses.replace(MARKER, level=Level.REQUEST_RESPONSE)
    whole = decode_event(line(level="RequestResponse", requestObject=BODY, responseObject=BODY))
    assert list(wrong_in_event(whole, complete, NAME)) == []


def test_what_is_read_has_the_objects_name_in_its_uri() -> None:
    marker = dataclasses.replace(MARKER, verb="get", resource="secrets")
    event = decode_event(line(verb="get", requestURI=f"/api/v1/namespaces/kube-system/secrets/{NAME}"))
    assert list(wrong_in_event(event, marker, NAME)) == []


TIME = 1767225600_500_000_000
LABELS = {
    "job": "kubernetes-audit",
    "cluster": "prod",
    "node": "cp1",
    "verb": "create",
    "user": "kubernetes-admin",
    "code": "201",
    "level": "Metadata",
    "decision": "allow",
    "auditID": "e1",
}


def test_an_entry_in_loki_has_the_events_fields_and_its_own_time() -> None:
    assert list(wrong_in_loki(decode_event(line()), "prod", LABELS, TIME)) == []


@pytest.mark.parametrize("field", sorted(LABELS))
def test_a_field_that_is_missing_in_loki_is_named(field: str) -> None:
    labels = {name: value for name, value in LABELS.items() if name != field}
    (wrong,) = wrong_in_loki(decode_event(line()), "prod", labels, TIME)
    assert field in wrong


def test_the_time_of_arrival_is_not_the_events() -> None:
    (wrong,) = wrong_in_loki(decode_event(line()), "prod", LABELS, TIME + 2_000_000)
    assert wrong == f"its time is {TIME + 2_000_000}, not stageTimestamp's, {TIME}"
