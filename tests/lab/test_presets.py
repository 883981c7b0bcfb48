"""Every preset runs in a real API server: it starts with the policy, and records as the evaluator says."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

import pytest

from auditlog.apiserver import manifest
from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import Level, Request
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.validate import load_policy
from lab.api import Node
from tests.lab.test_first_stack import MANIFEST

PORT = 16443
FOLDER = "/var/lib/preset"
OVERRIDES = {
    "secure-port": str(PORT),
    "bind-address": "127.0.0.1",
    "endpoint-reconciler-type": "none",
    "audit-policy-file": f"{FOLDER}/policy.yaml",
    "audit-log-path": f"{FOLDER}/audit.log",
}
API = f"kubectl --kubeconfig /etc/kubernetes/admin.conf --server https://127.0.0.1:{PORT} --tls-server-name kubernetes"
ADMIN = ("kubeadm:cluster-admins", "system:authenticated")
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
    """A second API server on the node, beside the static pod, on the same etcd and with the preset."""
    written = manifest.arguments(node.run(f"cat {MANIFEST}").stdout)[1:]
    kept = [argument for argument in written if argument[2:].split("=")[0] not in OVERRIDES]
    program = f"{FOLDER}/kube-apiserver"
    command = shlex.join([program, *kept, *(f"--{name}={value}" for name, value in OVERRIDES.items())])
    node.run(f"rm -rf {FOLDER}; mkdir -p {FOLDER}; cat >{FOLDER}/policy.yaml <<'EOF'\n{preset_text(preset)}EOF\n")
    node.run(f"cp /proc/$(pgrep -o -x kube-apiserver)/exe {program}")  # the static pod's own, wherever it came from
    node.run(f"setsid {command} >{FOLDER}/output 2>&1 </dev/null & echo $! >{FOLDER}/pid")
    try:
        ready = node.run(
            f"for i in $(seq 60); do {API} get --raw /readyz 2>/dev/null | grep -qx ok && exit 0; "
            f"kill -0 $(cat {FOLDER}/pid) || break; sleep 0.5; done; tail -n 5 {FOLDER}/output; exit 1",
            check=False,
        )
        assert ready.returncode == 0, ready.stdout
        yield node
    finally:
        node.run(f"kill -KILL $(cat {FOLDER}/pid); rm -rf {FOLDER}", check=False)


@pytest.mark.parametrize("preset", preset_names())
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
