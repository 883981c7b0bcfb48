"""An aggregated API without its backend: a node names it, and ``destroy`` ends once it is gone; a real API server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
from pulumi import automation

from tests.engine.kubernetes_api import KubernetesApi, serving
from tests.engine.kubernetes_stack import Stack, program
from tests.unit.node.shell import run

pytest_plugins = ("tests.engine.kubernetes_fixtures",)
pytestmark = pytest.mark.exhaustive

APIS = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = "v1beta1.dead.example.com"
DEAD = {
    "apiVersion": "apiregistration.k8s.io/v1",
    "kind": "APIService",
    "metadata": {"name": NAME},
    "spec": {
        "group": "dead.example.com",
        "version": "v1beta1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "insecureSkipTLSVerify": True,
        "service": {"namespace": "default", "name": "nobody"},
    },
}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[KubernetesApi]:
    """One of its own: nobody can delete a namespace there."""
    folder = tmp_path / "api"
    folder.mkdir()
    with serving(folder) as found:
        yield found


def declare(options: pulumi.ResourceOptions) -> None:
    # Pulumi waits for ten minutes by itself.
    soon = pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(delete="30s"))
    options = pulumi.ResourceOptions.merge(options, soon)
    kubernetes.core.v1.Namespace("namespace", metadata={"name": "audit"}, opts=options)


def test_it_is_named_and_keeps_destroy_from_ending_until_it_is_gone(
    api: KubernetesApi, stack: Stack, tmp_path: Path
) -> None:
    stack.up(program(declare, api.kubeconfig()))
    api.create(APIS, DEAD)
    (tmp_path / "admin.conf").write_text(api.kubeconfig())
    said, deadline = "", time.monotonic() + 120
    while not said and time.monotonic() < deadline:
        said = run(tmp_path, f"ADMIN_CONF={tmp_path}/admin.conf; fact_dead_apis").stdout
    assert said == f"dead-api {NAME} ServiceNotFound\n"
    with pytest.raises(automation.CommandError, match="timed out waiting for the condition"):
        stack.destroy()
    api.request("DELETE", f"{APIS}/{NAME}")
    stack.destroy()
    assert api.get("/api/v1/namespaces/audit") is None
