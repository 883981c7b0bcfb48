"""A real Kubernetes API server for tests: etcd, kube-apiserver and kube-controller-manager on loopback.

There is no node: nothing runs the pods that a test may create. The controller manager is there because objects
deleted in the foreground go only when its garbage collector says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_TOOLS = Path(__file__).parents[2] / ".lab" / "bin"
_START_LIMIT = 600.0
_CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "daemonset-controller",
    "deployment-controller",
    "replicaset-controller",
)


class KubernetesApiError(Exception):
    """The API server answered a test's own request with an error; ``code`` is the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True, slots=True)
class KubernetesApi:
    """A running API server. ``admin`` may do everything, ``nobody`` is known but may do nothing: bearer tokens."""

    url: str
    authority: Path
    admin: str
    nobody: str

    def kubeconfig(self, *, token: str | None = None, url: str | None = None, namespace: str = "") -> str:
        """The text of a kubeconfig with one context, named ``main``; ``url`` to point it elsewhere."""
        context = {"cluster": "main", "user": "main"} | ({"namespace": namespace} if namespace else {})
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "main",
                "clusters": [
                    {
                        "name": "main",
                        "cluster": {"server": url or self.url, "certificate-authority": str(self.authority)},
                    }
                ],
                "users": [{"name": "main", "user": {"token": token or self.admin}}],
                "contexts": [{"name": "main", "context": context}],
            }
        )

    def request(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> dict[str, Any]:
        """One request as the administrator; the answer's JSON. Raises KubernetesApiError."""
        request = urllib.request.Request(  # noqa: S310
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.admin}", "Content-Type": content_type},
        )
        context = ssl.create_default_context(cafile=str(self.authority))
        try:
            with urllib.request.urlopen(request, context=context, timeout=300) as response:  # noqa: S310
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            raise KubernetesApiError(error.code, error.read().decode(errors="replace")) from error

    def get(self, path: str) -> dict[str, Any] | None:
        """The object at ``path``, or None when there is none."""
        try:
            return self.request("GET", path)
        except KubernetesApiError as error:
            if error.code != 404:
                raise
            return None

    def create(self, path: str, manifest: Mapping[str, Any], manager: str = "somebody") -> dict[str, Any]:
        """Create an object in the collection at ``path``, as a client-side writer called ``manager``."""
        return self.request("POST", f"{path}?fieldManager={manager}", manifest)

    def merge(self, path: str, change: Mapping[str, Any], manager: str = "somebody") -> dict[str, Any]:
        """Change an object by a JSON merge patch, as a client-side writer called ``manager``."""
        return self.request("PATCH", f"{path}?fieldManager={manager}", change, "application/merge-patch+json")

    def new_namespace(self) -> str:
        """Create a namespace of the caller's own; its name."""
        name = f"test-{uuid.uuid4().hex[:10]}"
        self.create("/api/v1/namespaces", {"metadata": {"name": name}})
        return name


def _tool(name: str) -> str:
    found = sorted([*_TOOLS.glob(name), *_TOOLS.glob(f"kubernetes-*/{name}")])
    if not found:
        pytest.fail(f"{name} missing in .lab/bin: run `python -m lab build` first")
    return str(found[-1])


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as sockets:
        opened = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in opened:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in opened]


@contextlib.contextmanager
def _process(folder: Path, arguments: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; its output goes to a file named after it."""
    with (folder / f"{Path(arguments[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log, env={"PATH": os.environ["PATH"]})
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(120)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_ready(api: KubernetesApi, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_LIMIT
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, KubernetesApiError, ValueError):
            if api.get("/api/v1/namespaces/default") is not None:
                return
        time.sleep(0.3)
    pytest.fail(f"kube-apiserver did not come up: {log.read_text(errors='replace')[-2000:]}")


@contextlib.contextmanager
def serving(folder: Path, *flags: str) -> Iterator[KubernetesApi]:
    """Run an API server with all its files in ``folder``, and these flags besides, until the block ends."""
    etcd_port, peer_port, api_port = _free_ports(3)
    api = KubernetesApi(
        url=f"https://127.0.0.1:{api_port}",
        authority=folder / "certificates" / "apiserver.crt",
        admin=uuid.uuid4().hex,
        nobody=uuid.uuid4().hex,
    )
    tokens, key, kubeconfig = folder / "tokens.csv", folder / "service-account.key", folder / "kubeconfig"
    tokens.write_text(f'{api.admin},admin,1,"system:masters"\n{api.nobody},nobody,2\n')
    key.write_bytes(
        rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    kubeconfig.write_text(api.kubeconfig())
    etcd_url, peer_url = f"http://127.0.0.1:{etcd_port}", f"http://127.0.0.1:{peer_port}"
    etcd = (
        _tool("etcd"),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={etcd_url}",
        f"--advertise-client-urls={etcd_url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=default={peer_url}",
        "--unsafe-no-fsync",
    )
    server = (
        _tool("kube-apiserver"),
        f"--etcd-servers={etcd_url}",
        "--bind-address=127.0.0.1",
        f"--secure-port={api_port}",
        f"--cert-dir={api.authority.parent}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--endpoint-reconciler-type=none",
        *flags,
    )
    manager = (
        _tool("kube-controller-manager"),
        f"--kubeconfig={kubeconfig}",
        f"--controllers={','.join(_CONTROLLERS)}",
        "--leader-elect=false",
        "--secure-port=0",
    )
    with _process(folder, etcd), _process(folder, server) as running:
        _await_ready(api, running, folder / "kube-apiserver.log")
        with _process(folder, manager):
            yield api
