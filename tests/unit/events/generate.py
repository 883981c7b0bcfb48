"""Audit logs that look like a kubeadm cluster's, the same for the same seed.

The mix follows what an API server sees: node leases and controller watches make most of the lines, people make
few. The lines have the key order, the spacing and the microsecond UTC timestamps of kube-apiserver's JSON log.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import Any
from uuid import UUID

START = datetime(2025, 2, 21, 0, 0, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends requests, and with which program."""

    username: str
    groups: tuple[str, ...]
    user_agent: str
    source_ip: str
    extra: tuple[tuple[str, str], ...] = ()


def service_account(namespace: str, name: str, user_agent: str, source_ip: str) -> Caller:
    """A workload's identity, with the extra fields a bound token carries."""
    return Caller(
        f"system:serviceaccount:{namespace}:{name}",
        ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"),
        user_agent,
        source_ip,
        (
            ("authentication.kubernetes.io/credential-id", "JTI=7d5a8b0e-58a5-4f57-9dd9-6d2c5a7d1b11"),
            ("authentication.kubernetes.io/node-name", "worker-1"),
            ("authentication.kubernetes.io/pod-name", f"{name}-688596bc4b-pxmmh"),
            ("authentication.kubernetes.io/pod-uid", "a0e9a0fd-0812-434e-a1a4-b8af9bb98a87"),
        ),
    )


def component(username: str, groups: tuple[str, ...], program: str, source_ip: str) -> Caller:
    """A part of Kubernetes itself: its user agent names the program and its version."""
    return Caller(username, groups, f"{program}/v1.33.2 (linux/amd64) kubernetes/a57b6f7", source_ip)


CONTROLLER_MANAGER = component(
    "system:kube-controller-manager", ("system:authenticated",), "kube-controller-manager", "10.0.0.11"
)
SCHEDULER = component("system:kube-scheduler", ("system:authenticated",), "kube-scheduler", "10.0.0.11")
NODES = tuple(
    component(f"system:node:worker-{n}", ("system:nodes", "system:authenticated"), "kubelet", f"10.0.0.{20 + n}")
    for n in range(1, 6)
)
OPERATOR = service_account("platform", "deployer", "manager/v0.0.0 (linux/amd64)", "192.168.161.18")
METRICS = service_account("monitoring", "prometheus", "Prometheus/3.2.1", "192.168.161.30")
ALICE = Caller(
    "alice@example.org", ("oidc:platform", "system:authenticated"), "kubectl/v1.33.2 (linux/amd64)", "10.9.0.4"
)
BOB = Caller("bob@example.org", ("oidc:dev", "system:authenticated"), "k9s/v0.40.5", "10.9.0.7")
ANONYMOUS = Caller("system:anonymous", ("system:unauthenticated",), "curl/8.5.0", "203.0.113.9")
PROBE = Caller("system:anonymous", ("system:unauthenticated",), "kube-probe/1.33", "10.0.0.11")


def event(
    caller: Caller,
    verb: str,
    uri: str,
    moment: datetime,
    *,
    reference: dict[str, str] | None = None,
    level: str = "Metadata",
    stage: str = "ResponseComplete",
    code: int = 200,
    audit_id: str = "16c4f91b-c657-4ea8-acae-69873850d819",
    duration: timedelta = timedelta(milliseconds=4),
    annotations: dict[str, str] | None = None,
    request_object: object = None,
    response_object: object = None,
    impersonated: str | None = None,
) -> dict[str, Any]:
    """One event as a dict in kube-apiserver's key order.

    ``moment`` is when the request was received; stages after RequestReceived are ``duration`` later.
    """
    user: dict[str, Any] = {"username": caller.username, "groups": list(caller.groups)}
    if caller.extra:
        user["extra"] = {key: [value] for key, value in caller.extra}
    done = moment if stage == "RequestReceived" else moment + duration
    result: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": level,
        "auditID": audit_id,
        "stage": stage,
        "requestURI": uri,
        "verb": verb,
        "user": user,
    }
    if impersonated is not None:
        result["impersonatedUser"] = {"username": impersonated, "groups": ["system:authenticated"]}
    result |= {"sourceIPs": [caller.source_ip], "userAgent": caller.user_agent}
    if reference is not None:
        result["objectRef"] = reference
    if stage != "RequestReceived":
        result["responseStatus"] = {"metadata": {}, "code": code}
    if request_object is not None:
        result["requestObject"] = request_object
    if response_object is not None and stage == "ResponseComplete":
        result["responseObject"] = response_object
    result["requestReceivedTimestamp"] = timestamp(moment)
    result["stageTimestamp"] = timestamp(done)
    if stage != "RequestReceived":
        decision = "forbid" if code in (401, 403) else "allow"
        result["annotations"] = {
            "authorization.k8s.io/decision": decision,
            "authorization.k8s.io/reason": ""
            if decision == "forbid"
            else "RBAC: allowed by ClusterRoleBinding "
            '"system:discovery" of ClusterRole "system:discovery" to Group "system:authenticated"',
            **(annotations or {}),
        }
    return result


def timestamp(moment: datetime) -> str:
    """A Go MicroTime in JSON: UTC, always six digits."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def encode(value: dict[str, Any]) -> bytes:
    """One line of the log, with its newline."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _configmap(name: str, words: int, chance: random.Random) -> dict[str, Any]:
    text = " ".join(chance.choice(("timeout", "retries", "endpoint", "enabled")) for _ in range(words))
    return {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": "shop"}},
        "data": {"settings.ini": text},
    }


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a request has from the log that it is part of: its moment, its ID, the cluster's resource version."""

    chance: random.Random
    moment: datetime
    audit_id: str
    version: int


def _lease(at: Occasion) -> dict[str, Any]:
    node = at.chance.choice(NODES)
    name = node.username.removeprefix("system:node:")
    return event(
        node,
        "update",
        f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}?timeout=10s",
        at.moment,
        audit_id=at.audit_id,
        reference={
            "resource": "leases",
            "namespace": "kube-node-lease",
            "name": name,
            "uid": "8e70db1f-a26c-4af5-a558-78e860ae9903",
            "apiGroup": "coordination.k8s.io",
            "apiVersion": "v1",
            "resourceVersion": str(at.version),
        },
    )


def _watch(at: Occasion) -> dict[str, Any]:
    caller = at.chance.choice((CONTROLLER_MANAGER, SCHEDULER, METRICS, OPERATOR))
    resource, group = at.chance.choice(
        (("pods", ""), ("services", ""), ("endpointslices", "discovery.k8s.io"), ("deployments", "apps"))
    )
    root = f"/apis/{group}/v1" if group else "/api/v1"
    return event(
        caller,
        at.chance.choice(("list", "watch", "watch")),
        f"{root}/{resource}?allowWatchBookmarks=true&resourceVersion={at.version}&timeoutSeconds=586&watch=true",
        at.moment,
        audit_id=at.audit_id,
        reference={"resource": resource, **({"apiGroup": group} if group else {}), "apiVersion": "v1"},
    )


def _pod_status(at: Occasion) -> dict[str, Any]:
    namespace = f"team-{at.chance.randrange(40)}"
    name = f"web-{at.chance.randrange(2000):04d}-{at.chance.getrandbits(20):05x}"
    return event(
        at.chance.choice(NODES),
        "patch",
        f"/api/v1/namespaces/{namespace}/pods/{name}/status",
        at.moment,
        audit_id=at.audit_id,
        reference={
            "resource": "pods",
            "namespace": namespace,
            "name": name,
            "apiVersion": "v1",
            "subresource": "status",
        },
    )


def _probe(at: Occasion) -> dict[str, Any]:
    return event(PROBE, "get", at.chance.choice(("/livez", "/readyz", "/healthz")), at.moment, audit_id=at.audit_id)


def _configmap_update(at: Occasion) -> dict[str, Any]:
    name = f"settings-{at.chance.randrange(50)}"
    body = _configmap(name, at.chance.randrange(20, 200), at.chance)
    stored = {**body, "metadata": {**body["metadata"], "resourceVersion": str(at.version)}}
    return event(
        at.chance.choice((OPERATOR, ALICE)),
        "update",
        f"/api/v1/namespaces/shop/configmaps/{name}",
        at.moment,
        audit_id=at.audit_id,
        level="RequestResponse",
        reference={"resource": "configmaps", "namespace": "shop", "name": name, "apiVersion": "v1"},
        request_object=body,
        response_object=stored,
    )


def _secret_read(at: Occasion) -> dict[str, Any]:
    caller = at.chance.choice((OPERATOR, ALICE, BOB))
    name = f"secret-{at.chance.randrange(30)}"
    return event(
        caller,
        "get",
        f"/api/v1/namespaces/shop/secrets/{name}",
        at.moment,
        audit_id=at.audit_id,
        code=403 if caller is BOB else 200,
        reference={"resource": "secrets", "namespace": "shop", "name": name, "apiVersion": "v1"},
    )


def _anonymous_list(at: Occasion) -> dict[str, Any]:
    return event(
        ANONYMOUS,
        "get",
        "/api/v1/namespaces",
        at.moment,
        audit_id=at.audit_id,
        code=403,
        reference={"resource": "namespaces", "apiVersion": "v1"},
    )


_MIX = (
    (0.35, _lease),
    (0.60, _watch),
    (0.75, _pod_status),
    (0.83, _probe),
    (0.93, _configmap_update),
    (0.98, _secret_read),
    (1.00, _anonymous_list),
)
"""Kinds of requests, each up to which share of them all."""


def events(seed: int, *, start: datetime = START, seconds_between: float = 0.05) -> Iterator[dict[str, Any]]:
    """An endless log: the same events in the same order for the same arguments."""
    chance = random.Random(seed)  # noqa: S311 - made-up data, not a secret
    moment = start
    for version in count(13_660_828):
        moment += timedelta(seconds=chance.uniform(0.2, 1.8) * seconds_between)
        audit_id = str(UUID(int=chance.getrandbits(128), version=4))
        draw = chance.random()
        make = next(make for share, make in _MIX if draw < share)
        yield make(Occasion(chance, moment, audit_id, version))


def lines(seed: int, number: int, *, start: datetime = START, seconds_between: float = 0.05) -> list[bytes]:
    """The first ``number`` lines of the log of this seed."""
    return [encode(each) for each in islice(events(seed, start=start, seconds_between=seconds_between), number)]
