"""Decoding of single events, and the request behind them."""

from __future__ import annotations

import msgspec
import pytest

from auditlog.events.event import Event, to_request
from auditlog.policy.model import Request
from tests.unit.events.generate import ALICE, START, Caller, encode, event
from tests.unit.events.seed_examples import DELETE_SECRET, LEASE_UPDATE_AS_PRINTED, LEASE_UPDATE_REPAIRED


def request_of(uri: str, verb: str, reference: dict[str, str] | None, caller: Caller = ALICE) -> Request:
    line = encode(event(caller, verb, uri, START, reference=reference))
    return to_request(msgspec.json.decode(line, type=Event))


def test_the_events_of_the_second_seed_are_read() -> None:
    received, complete = (msgspec.json.decode(line, type=Event) for line in DELETE_SECRET)
    assert (received.stage, received.code) == ("RequestReceived", 0)
    assert (complete.stage, complete.code) == ("ResponseComplete", 200)
    assert complete.audit_id == "16c4f91b-c657-4ea8-acae-69873850d819"
    assert complete.user.groups == ("kubeadm:cluster-admins", "system:authenticated")
    assert complete.source_ips == ("192.168.63.171",)
    assert complete.annotations["authorization.k8s.io/decision"] == "allow"
    assert (complete.stage_timestamp - complete.request_received_timestamp).microseconds == 3167
    assert to_request(complete) == Request(
        user="kubernetes-admin",
        groups=("kubeadm:cluster-admins", "system:authenticated"),
        verb="delete",
        api_version="v1",
        resource="secrets",
        namespace="prod",
        name="some-secret",
        path="/api/v1/namespaces/prod/secrets/some-secret",
    )


def test_the_event_printed_in_the_first_seed_is_broken_json_until_its_quotes_are_escaped() -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(LEASE_UPDATE_AS_PRINTED, type=Event)
    lease = to_request(msgspec.json.decode(LEASE_UPDATE_REPAIRED, type=Event))
    assert (lease.api_group, lease.resource, lease.verb) == ("coordination.k8s.io", "leases", "update")
    assert lease.name == "kubeadm-bootstrap-manager-leader-election-capi"


def test_a_create_has_no_name_although_the_event_has_the_one_of_the_body() -> None:
    request = request_of(
        "/api/v1/namespaces/prod/configmaps?fieldManager=kubectl-create",
        "create",
        {"resource": "configmaps", "namespace": "prod", "name": "app-config", "apiVersion": "v1"},
    )
    assert (request.namespace, request.name) == ("prod", "")


def test_a_create_of_a_subresource_has_the_name_from_its_url() -> None:
    request = request_of(
        "/api/v1/namespaces/prod/pods/web-0/exec?command=sh",
        "create",
        {"resource": "pods", "namespace": "prod", "name": "web-0", "apiVersion": "v1", "subresource": "exec"},
    )
    assert (request.subresource, request.name) == ("exec", "web-0")


def test_the_create_of_a_namespace_is_cluster_scoped_whatever_the_body_says() -> None:
    reference = {"resource": "namespaces", "namespace": "prod", "name": "prod", "apiVersion": "v1"}
    request = request_of("/api/v1/namespaces", "create", reference)
    assert (request.namespace, request.name) == ("", "")


def test_a_namespace_object_lies_in_itself() -> None:
    reference = {"resource": "namespaces", "namespace": "prod", "name": "prod", "apiVersion": "v1"}
    request = request_of("/api/v1/namespaces/prod", "delete", reference)
    assert (request.namespace, request.name) == ("prod", "prod")


def test_a_request_for_no_resource_is_known_by_its_decoded_path_without_the_query() -> None:
    request = request_of("/api%73/apps/v1?timeout=32s", "get", None)
    assert (request.resource_request, request.path) == (False, "/apis/apps/v1")


def test_failed_authentication_has_no_user() -> None:
    assert request_of("/api/v1/pods", "list", None, Caller("", (), "curl/8", "10.0.0.1")).user is None


def test_impersonation_does_not_change_who_the_policy_sees() -> None:
    line = encode(event(ALICE, "get", "/version", START, impersonated="system:admin"))
    decoded = msgspec.json.decode(line, type=Event)
    assert decoded.impersonated_user is not None
    assert decoded.impersonated_user.username == "system:admin"
    assert to_request(decoded).user == ALICE.username


@pytest.mark.parametrize("missing", ["level", "auditID", "stage", "stageTimestamp", "requestReceivedTimestamp"])
def test_an_object_without_what_every_event_has_is_no_event(missing: str) -> None:
    value = event(ALICE, "get", "/version", START)
    del value[missing]
    with pytest.raises(msgspec.ValidationError, match=missing):
        msgspec.json.decode(encode(value), type=Event)
