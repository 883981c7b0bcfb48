"""Requests as a control plane gets them, the same in every run, each in the name of somebody who really makes such.

The shares follow tests/unit/events/generate.py: kubelets and controllers make most requests, people few.
"""

from __future__ import annotations

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

from lab import access, kubeadm
from lab.api import Lab
from lab.observability.prometheus import write_client_certificate

NAME = "bench-traffic"
"""Of the objects in namespace `default` that the requests are about."""
_NOBODY, _WORKLOAD = "nobody", "workload"
# The user and the group of the certificates that the cluster's own authority signs for them.
_COMPONENTS = {
    "kubelet": ("system:node:{node}", "system:nodes"),
    "controllers": ("system:kube-controller-manager", "system:authenticated"),
}
_TYPES = {"PATCH": "application/merge-patch+json"}
_SEED = 2025


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `{node}` in the path is the node's name; `status` is what must answer it."""

    caller: str
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    status: int = 200


_CORE = "/api/v1/namespaces/default"
_LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}"
_DATA = {f"setting-{number}": "timeout retries endpoint enabled " * 4 for number in range(8)}
_CHANGED = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": _DATA}
_CREATED = {**_CHANGED, "metadata": {"generateName": f"{NAME}-", "labels": {"made-by": NAME}}}

# How many of a thousand.
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
        headers = {"User-Agent": self._agent, "Content-Type": _TYPES.get(request.method, "application/json")}
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
    lab.kubectl("delete", "configmaps,secrets,serviceaccounts,rolebindings", "-l", f"made-by={NAME}")
    for kind in ("configmap", "secret", "serviceaccount", "rolebinding"):
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
