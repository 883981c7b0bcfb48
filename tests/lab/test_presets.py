"""Every preset runs in a real API server: it starts with the policy, and records as the evaluator says."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from auditlog.nodes.second_api_server import PORTS
from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import Level, Request
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.validate import load_policy
from lab.api import Node
from lab.second_api_server import second_api_server

FOLDER = "/var/lib/preset"
FLAGS = {
    "bind-address": "127.0.0.1",
    "audit-policy-file": f"{FOLDER}/policy.yaml",
    "audit-log-path": f"{FOLDER}/audit.log",
}
_SERVER = f"https://127.0.0.1:{PORTS[0]}"
API = f"kubectl --kubeconfig /etc/kubernetes/admin.conf --server {_SERVER} --tls-server-name kubernetes"
ADMIN = ("kubeadm:cluster-admins", "system:authenticated")
# The one with the most levels and stages, and the one whose events are annotated.
REPRESENTATIVES = ("forensic", "lean")
REQUESTS = {
    "create configmap the-marker --dry-run=server": Request(
        "kubernetes-admin", ADMIN, "create", True, "", "v1", "configmaps", "", "default", ""
    ),
    "create secret generic the-marker --dry-run=server": Request(
        "kubernetes-admin", ADMIN, "create", True, "", "v1", "secrets", "", "default", ""
    ),
    "create clusterrole the-marker --verb=get --resource=pods --dry-run=server": Request(
        "kubernetes-admin", ADMIN, "create", True, "rbac.authorization.k8s.io", "v1", "clusterroles", "", "", ""
    ),
    "get secret the-marker -n kube-system": Request(
        "kubernetes-admin", ADMIN, "get", True, "", "v1", "secrets", "", "kube-system", "the-marker"
    ),
    "get deployment the-marker": Request(
        "kubernetes-admin", ADMIN, "get", True, "apps", "v1", "deployments", "", "default", "the-marker"
    ),
}


@pytest.fixture
def api_server(node: Node, preset: str) -> Iterator[Node]:
    """A node that runs a second API server, with the preset."""
    with second_api_server(node, FOLDER, {"policy.yaml": preset_text(preset)}, FLAGS):
        yield node


@pytest.mark.parametrize(
    "preset",
    [name if name in REPRESENTATIVES else pytest.param(name, marks=pytest.mark.exhaustive) for name in preset_names()],
)
def test_the_api_server_starts_with_it_and_records_what_the_evaluator_says(api_server: Node, preset: str) -> None:
    policy = load_policy(preset_text(preset), preset, 36)
    for arguments in REQUESTS:
        api_server.run(f"{API} {arguments} >/dev/null 2>&1", check=False)
    events = [json.loads(line) for line in api_server.run(f"cat {FOLDER}/audit.log").stdout.splitlines()]
    recorded = {
        (event["verb"], event["objectRef"]["resource"]): Level(event["level"])
        for event in events
        if event.get("objectRef", {}).get("name") == "the-marker"
    }
    expected = {
        (request.verb, request.resource): evaluate(policy, request).level
        for request in REQUESTS.values()
        if evaluate(policy, request).level != Level.NONE
    }
    assert recorded == expected
    text = json.dumps(events)
    assert "requestObject" not in json.dumps([event for event in events if '"secrets"' in json.dumps(event)])
    assert "responseObject" not in json.dumps([event for event in events if '"configmaps"' in json.dumps(event)])
    assert text.count("the-marker") >= len(expected)
