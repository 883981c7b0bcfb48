"""Requests as a control plane gets them, the same in every run, each in the name of somebody who really makes such.

The shares follow tests/unit/events/generate.py: kubelets and controllers make most requests, people few. Beside them
are the writes of which some presets record bodies: workloads, roles and bindings, namespaces, certificate requests.
"""

from __future__ import annotations

import base64
import http.client
import json
import random
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab import access, kubeadm
from lab.api import Lab
from lab.observability.prometheus import write_client_certificate

NAME = "bench-traffic"
"""Of the objects in namespace `default` that the requests are about."""
_NOBODY, _WORKLOAD = "nobody", "workload"
# The user and the group of the certificates that the cluster's own authority signs for them.
_COMPONENTS = {
    "administrator": (f"{NAME}-administrator", "kubeadm:cluster-admins"),
    "kubelet": ("system:node:{node}", "system:nodes"),
    "controllers": ("system:kube-controller-manager", "system:authenticated"),
}
_TYPES = {"PATCH": "application/merge-patch+json"}
_STRATEGIC = "application/strategic-merge-patch+json"
_SEED = 2025


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `{node}` in the path is the node's name; `status` is what must answer it."""

    caller: str
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    status: int = 200
    content_type: str = ""
    carries_body: bool = False
    """Whether `standard` records a body of it."""


_CORE = "/api/v1/namespaces/default"
_LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}"
_DATA = {f"setting-{number}": "timeout retries endpoint enabled " * 4 for number in range(8)}
_CHANGED = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": _DATA}
_CREATED = {**_CHANGED, "metadata": {"generateName": f"{NAME}-", "labels": {"made-by": NAME}}}

_MADE = {"generateName": f"{NAME}-", "labels": {"made-by": NAME}}
_RBAC = "rbac.authorization.k8s.io"
_RBAC_PATH = f"/apis/{_RBAC}/v1"
_DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
_CERTIFICATES = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
# As a chart writes it: probes, limits, environment, volumes. Without Pods, so that nothing runs.
_CONTAINER = {
    "name": "web",
    "image": "registry.example.com/team/web:1.4.2",
    "args": ["--listen=:8080", "--log-level=info"],
    "env": [{"name": f"SETTING_{number}", "value": "timeout retries endpoint"} for number in range(8)],
    "ports": [{"name": "http", "containerPort": 8080}],
    "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
    "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 10},
    "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
    "securityContext": {"runAsNonRoot": True, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
    "volumeMounts": [{"name": "settings", "mountPath": "/etc/web"}, {"name": "cache", "mountPath": "/var/cache"}],
}
_DEPLOYMENT = {
    "replicas": 0,
    "selector": {"matchLabels": {"app": NAME}},
    "template": {
        "metadata": {"labels": {"app": NAME}},
        "spec": {
            "containers": [_CONTAINER],
            "serviceAccountName": NAME,
            "volumes": [{"name": "settings", "configMap": {"name": NAME}}, {"name": "cache", "emptyDir": {}}],
        },
    },
}
_IMAGE = {
    "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "registry.example.com/team/web:1.4.3"}]}}}
}
_RULES = [{"apiGroups": ["", "apps"], "resources": ["pods", "deployments"], "verbs": ["get", "list", "watch"]}]
_BINDING = {
    "metadata": _MADE,
    "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "view"},
    "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": "default"}],
}


def _certificate_request() -> Mapping[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    asked = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    text = base64.b64encode(asked.public_bytes(serialization.Encoding.PEM)).decode()
    spec = {"request": text, "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]}
    return {"metadata": _MADE, "spec": spec}


def _carrying(method: str, path: str, body: Mapping[str, Any], status: int = 200, content_type: str = "") -> Request:
    return Request("administrator", method, path, body, status, content_type, carries_body=True)


# How many of a thousand, besides those with bodies.
_MIX: tuple[tuple[int, Request], ...] = (
    (350, Request("kubelet", "PATCH", _LEASE, {})),
    (150, Request("kubelet", "PATCH", "/api/v1/nodes/{node}/status", {})),
    (150, Request("controllers", "GET", "/api/v1/pods?limit=500")),
    (100, Request("controllers", "GET", "/apis/discovery.k8s.io/v1/endpointslices?limit=500")),
    (80, Request(_NOBODY, "GET", "/livez")),
    (60, Request(_WORKLOAD, "GET", f"{_CORE}/configmaps/{NAME}")),
    (40, Request(access.PERSON, "PUT", f"{_CORE}/configmaps/{NAME}", _CHANGED)),
    (20, Request(access.PERSON, "POST", f"{_CORE}/configmaps", _CREATED, 201)),
    (25, Request(access.PERSON, "GET", f"{_CORE}/secrets/{NAME}")),
    (15, Request(access.PERSON, "GET", f"{_CORE}/pods?limit=500")),
    (10, Request(_NOBODY, "GET", "/api/v1/namespaces", status=403)),
    (10, _carrying("POST", _DEPLOYMENTS, {"metadata": _MADE, "spec": _DEPLOYMENT}, 201)),
    (20, _carrying("PUT", f"{_DEPLOYMENTS}/{NAME}", {"metadata": {"name": NAME}, "spec": _DEPLOYMENT})),
    (20, _carrying("PATCH", f"{_DEPLOYMENTS}/{NAME}", _IMAGE, content_type=_STRATEGIC)),
    (10, _carrying("POST", f"{_RBAC_PATH}/clusterroles", {"metadata": _MADE, "rules": _RULES}, 201)),
    (10, _carrying("POST", f"{_RBAC_PATH}/clusterrolebindings", _BINDING, 201)),
    (5, _carrying("POST", "/api/v1/namespaces", {"metadata": _MADE}, 201)),
    (5, _carrying("POST", _CERTIFICATES, _certificate_request(), 201)),
)


def requests(count: int) -> list[Request]:
    """The first `count` requests."""
    chance = random.Random(_SEED)  # noqa: S311 - not a secret
    return chance.choices([each for _, each in _MIX], [share for share, _ in _MIX], k=count)


@dataclass(frozen=True, slots=True)
class Callers:
    """The credentials of all callers on one lab: a TLS context for each, and the workload's token."""

    node: str
    contexts: Mapping[str, ssl.SSLContext]
    token: str


@contextmanager
def prepared(lab: Lab, folder: Path) -> Iterator[Callers]:
    """What the requests are about, and who makes them; keys are kept in `folder`."""
    _remove(lab)
    lab.kubectl("create", "configmap", NAME)
    lab.kubectl("create", "secret", "generic", NAME, "--from-literal=key=value")
    lab.kubectl("create", "serviceaccount", NAME)
    lab.kubectl("create", "rolebinding", NAME, "--clusterrole=view", f"--serviceaccount=default:{NAME}")
    made = folder / "deployment.json"
    made.write_text(
        json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": NAME}, "spec": _DEPLOYMENT})
    )
    lab.kubectl("create", "-f", str(made))
    try:
        yield Callers(lab.nodes[0].name, _contexts(lab, folder), lab.kubectl("create", "token", NAME).strip())
    finally:
        _remove(lab)


class Client:
    """A connection for each caller to one API server. `agent` is the program that the requests come from."""

    def __init__(self, callers: Callers, address: str, port: int, agent: str) -> None:
        self._callers, self._agent = callers, agent
        self._connections = {
            caller: http.client.HTTPSConnection(address, port, timeout=30, context=context)
            for caller, context in callers.contexts.items()
        }

    def send(self, request: Request) -> float:
        """Makes the request; gives the seconds until its answer was read. RuntimeError for another status."""
        content_type = request.content_type or _TYPES.get(request.method, "application/json")
        headers = {"User-Agent": self._agent, "Content-Type": content_type}
        if request.caller == _WORKLOAD:
            headers["Authorization"] = f"Bearer {self._callers.token}"
        body = None if request.body is None else json.dumps(request.body)
        path = request.path.format(node=self._callers.node)
        connection = self._connections[request.caller]
        began = time.perf_counter()
        connection.request(request.method, path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        took = time.perf_counter() - began
        if answer.status != request.status:
            raise RuntimeError(f"{request.method} {path} as {request.caller}: {answer.status} {said.decode()}")
        return took

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()


def _remove(lab: Lab) -> None:
    kinds = "configmaps,deployments,clusterroles,clusterrolebindings,namespaces,certificatesigningrequests"
    lab.kubectl("delete", kinds, "-l", f"made-by={NAME}", "--wait=false")
    for kind in ("configmap", "secret", "serviceaccount", "rolebinding", "deployment"):
        lab.kubectl("delete", kind, NAME, "--ignore-not-found")


def _contexts(lab: Lab, folder: Path) -> dict[str, ssl.SSLContext]:
    kubeconfigs = {access.PERSON: lab.paths.user_kubeconfig(access.PERSON)}
    for caller, (user, group) in _COMPONENTS.items():
        command = f"kubeadm kubeconfig user --config {kubeadm.CONFIG_FILE} --client-name {user} --org {group}"
        kubeconfigs[caller] = folder / f"{caller}.kubeconfig"
        kubeconfigs[caller].write_text(lab.nodes[0].run(command.format(node=lab.nodes[0].name)).stdout)
    contexts = {}
    for caller, kubeconfig in kubeconfigs.items():
        keys = folder / caller
        keys.mkdir()
        write_client_certificate(kubeconfig, keys)
        contexts[caller] = ssl.create_default_context(cafile=str(keys / "ca.crt"))
        contexts[caller].load_cert_chain(str(keys / "client.crt"), str(keys / "client.key"))
    for caller in (_NOBODY, _WORKLOAD):
        contexts[caller] = ssl.create_default_context(cafile=str(folder / access.PERSON / "ca.crt"))
    return contexts
