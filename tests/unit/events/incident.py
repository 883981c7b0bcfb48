"""A small incident, event by event, as kube-apiserver writes it: for the tests of timelines and lineages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from auditlog.events.event import FullEvent, Sighting
from tests.unit.events.generate import ALICE, START, Caller, component, encode, event, service_account

CONTROLLER = component(
    "system:serviceaccount:kube-system:deployment-controller",
    ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"),
    "kube-controller-manager",
    "10.0.0.11",
)
REPLICASETS = component(
    "system:serviceaccount:kube-system:replicaset-controller",
    ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"),
    "kube-controller-manager",
    "10.0.0.11",
)
SCHEDULER = component("system:kube-scheduler", ("system:authenticated",), "kube-scheduler", "10.0.0.11")

FIRST, SECOND = (f"JTI={number * 8}-1111-4111-8111-111111111111" for number in ("a", "b"))
CERTIFICATE = f"X509SHA256={'c' * 64}"

RESOURCES = {
    "deployments": "apps",
    "replicasets": "apps",
    "pods": "",
    "secrets": "",
    "configmaps": "",
    "serviceaccounts": "",
    "certificatesigningrequests": "certificates.k8s.io",
}


def with_credential(caller: Caller, credential: str) -> Caller:
    """The caller, authenticated by this credential."""
    return Caller(
        caller.username,
        caller.groups,
        caller.user_agent,
        caller.source_ip,
        (("authentication.kubernetes.io/credential-id", credential),),
    )


def request(
    caller: Caller, verb: str, resource: str, name: str, seconds: float, namespace: str = "prod", **more: Any
) -> dict[str, Any]:
    """A request about an object; `resource` may have a subresource."""
    plural, _, subresource = resource.partition("/")
    group = RESOURCES[plural]
    root = f"/apis/{group}/v1" if group else "/api/v1"
    place = f"/namespaces/{namespace}" if namespace else ""
    uri = "/".join(
        filter(None, (f"{root}{place}/{plural}", "" if verb == "create" and not subresource else name, subresource))
    )
    reference = {"resource": plural, "apiVersion": "v1"}
    for key, value in (("namespace", namespace), ("name", name), ("apiGroup", group), ("subresource", subresource)):
        if value:
            reference[key] = value
    more.setdefault("audit_id", f"{seconds:08.3f}".replace(".", "-"))
    return event(caller, verb, uri, START + timedelta(seconds=seconds), reference=reference, **more)


def seen(value: dict[str, Any], node: str = "cp1") -> Sighting:
    """The event as a question gets it."""
    return Sighting(node, msgspec.json.decode(encode(value), type=FullEvent))


ADMIN = with_credential(ALICE, CERTIFICATE)
DEPLOYER = with_credential(service_account("ci", "deployer", "curl/8.5.0", "203.0.113.9"), FIRST)
READER = with_credential(service_account("prod", "reader", "curl/8.5.0", "198.51.100.7"), SECOND)


def issued(credential: str) -> dict[str, str]:
    """The annotation of a TokenRequest."""
    return {"authentication.kubernetes.io/issued-credential-id": credential}


def incident() -> list[dict[str, Any]]:
    """Alice mints a token for ci/deployer; with it, acting as prod/admin, another is minted, which reads Secrets."""
    return [
        request(ADMIN, "create", "serviceaccounts/token", "deployer", 0, "ci", annotations=issued(FIRST), code=201),
        request(
            DEPLOYER,
            "create",
            "serviceaccounts/token",
            "reader",
            10,
            annotations=issued(SECOND),
            impersonated="system:serviceaccount:prod:admin",
            code=201,
        ),
        request(READER, "get", "secrets", "database", 20),
        request(READER, "get", "secrets", "mail", 21),
        request(READER, "delete", "configmaps", "app-config", 30, code=403),
        request(
            DEPLOYER,
            "patch",
            "deployments",
            "web",
            40,
            annotations={
                "audit-annotations-workload-change/images": "app: shop:1 -> evil:1",
                "audit-annotations-workload-change/changed": "specification",
                "audit-annotations-workload-change/complete": "yes",
            },
        ),
        request(CONTROLLER, "create", "replicasets", "web-7d4b9c6f58", 41, code=201),
        request(REPLICASETS, "create", "pods", "", 42, code=201),
        request(SCHEDULER, "create", "pods/binding", "web-7d4b9c6f58-x2vfq", 43, code=201),
        request(ALICE, "get", "pods/exec", "web-7d4b9c6f58-x2vfq", 50, code=101),
        request(ALICE, "get", "pods/exec", "webhook-5c8b7d6f44-abcde", 51, code=101),
        request(DEPLOYER, "delete", "configmaps", "app-config", 60),
    ]
