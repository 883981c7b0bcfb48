"""What the dashboards are to show, done for real on the lab: every panel that can have data gets some."""

from __future__ import annotations

import json
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv6Network
from pathlib import Path
from random import getrandbits
from socket import create_server

import pytest
import yaml

from auditlog.manifest.desired import POLICY_ANNOTATION
from lab.api import Lab
from lab.observability.stack import Observability
from lab.stack import CLUSTER
from tests.observability.shipping import eventually

NAMESPACE = "dashboards"
GONE = "dashboards-and-gone"
SECRET = "dashboards-secret"
IMPERSONATED = "carol@example.com"
WIDE_BINDING = "dashboards-cluster-admin"
ANONYMOUS_ROLE = "dashboards-anonymous"
WEBHOOK = "dashboards-slow"
SERVICE_ACCOUNT = "dashboards-robot"
UNSEEN = IPv6Network("2001:db8::/64")

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: RequestResponse
  verbs: [create, update, patch, delete]
  resources: [{group: rbac.authorization.k8s.io}]
- level: None
  resources: [{group: coordination.k8s.io, resources: [leases]}]
- level: Metadata
"""
"""Bodies for changes of rights, everything else without, and something that is dropped."""


def act(lab: Lab, folder: Path) -> None:
    """Does everything once, and takes away what it made."""
    remove(lab)
    lab.kubectl("create", "namespace", NAMESPACE)
    lab.kubectl("create", "configmap", GONE, as_user="alice")
    lab.kubectl("delete", "configmap", GONE, as_user="alice")
    lab.kubectl("-n", NAMESPACE, "create", "secret", "generic", SECRET, "--from-literal=key=value")
    lab.kubectl("-n", NAMESPACE, "get", "secret", SECRET)
    lab.kubectl("get", "secrets", "--all-namespaces", as_user="alice", check=False)
    lab.kubectl("--as", IMPERSONATED, "get", "pods", check=False)
    lab.kubectl("-n", "kube-system", "exec", f"kube-apiserver-{lab.nodes[0].name}", "--", "true", check=False)
    lab.kubectl("create", "clusterrolebinding", WIDE_BINDING, "--clusterrole=cluster-admin", "--user=mallory")
    _anonymously(lab)
    lab.kubectl("-n", NAMESPACE, "create", "serviceaccount", SERVICE_ACCOUNT)
    lab.kubectl("-n", NAMESPACE, "create", "token", SERVICE_ACCOUNT)
    lab.kubectl("get", "componentstatuses")
    _slowly(lab, folder)
    remove(lab)


def remove(lab: Lab) -> None:
    """Takes away what `act` made, also after a run that was killed."""
    lab.kubectl("delete", "validatingwebhookconfiguration", WEBHOOK, "--ignore-not-found")
    lab.kubectl("delete", "clusterrolebinding", WIDE_BINDING, ANONYMOUS_ROLE, "--ignore-not-found")
    lab.kubectl("delete", "clusterrole", ANONYMOUS_ROLE, "--ignore-not-found")
    lab.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=60s")


def _anonymously(lab: Lab) -> None:
    """Reaches, without an identity, what a mistaken binding gives to everyone; and is refused the rest.

    A proxy says that it comes from an address that has never been seen, also where these tests have run before.
    """
    url = f"https://{lab.nodes[0].address}:6443"
    lab.kubectl("create", "clusterrole", ANONYMOUS_ROLE, "--verb=get", "--non-resource-url=/metrics")
    lab.kubectl(
        "create", "clusterrolebinding", ANONYMOUS_ROLE, f"--clusterrole={ANONYMOUS_ROLE}", "--user=system:anonymous"
    )
    # The authorizer learns of the binding through its own watch.
    assert eventually(lambda: _status(f"{url}/metrics"), lambda code: code == 200, 120) == 200
    assert _status(f"{url}/api/v1/secrets") == 403


def _slowly(lab: Lab, folder: Path) -> None:
    """A ConfigMap that waits a second for a webhook that never answers."""
    gateway = lab.state.bridge_address
    with create_server((gateway, 0)) as silent:
        hook = {
            "name": "slow.example.com",
            "clientConfig": {"url": f"https://{gateway}:{silent.getsockname()[1]}/"},
            "failurePolicy": "Ignore",
            "timeoutSeconds": 1,
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}},
            "rules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
            ],
        }
        file = folder / "webhook.yaml"
        file.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "admissionregistration.k8s.io/v1",
                    "kind": "ValidatingWebhookConfiguration",
                    "metadata": {"name": WEBHOOK},
                    "webhooks": [hook],
                }
            )
        )
        lab.kubectl("apply", "--filename", str(file))
        time.sleep(2)  # the API server notices a new webhook through its own watch
        lab.kubectl("-n", NAMESPACE, "create", "configmap", "slow")
        lab.kubectl("delete", "validatingwebhookconfiguration", WEBHOOK)


@contextmanager
def stand_ins(lab: Lab, observability: Observability) -> Iterator[None]:
    """What kube-state-metrics and node_exporter would tell, which the lab does not run, as recording rules.

    The values are what is really there: the annotation of the running API servers' pods, and the machine's disk. The
    lab has no add-ons, so the ReplicaSet that has just been made is made up.
    """
    file = observability.prometheus.folder / "rules" / "fakes.yaml"
    disk = os.statvfs(lab.paths.root)
    size = {"node_filesystem_avail_bytes": disk.f_bavail, "node_filesystem_size_bytes": disk.f_blocks}
    rules = [
        {
            "record": name,
            "expr": f"vector({blocks * disk.f_frsize})",
            "labels": {"cluster": CLUSTER, "mountpoint": "/", "instance": lab.nodes[0].name},
        }
        for name, blocks in size.items()
    ]
    pods = json.loads(lab.kubectl("-n", "kube-system", "get", "pods", "-l", "component=kube-apiserver", "-o", "json"))
    for pod in pods["items"]:
        label = "annotation_" + POLICY_ANNOTATION.replace("/", "_").replace("-", "_")
        labels = {
            "cluster": CLUSTER,
            "namespace": "kube-system",
            "pod": pod["metadata"]["name"],
            label: pod["metadata"]["annotations"][POLICY_ANNOTATION],
        }
        rules.append({"record": "kube_pod_annotations", "expr": "vector(1)", "labels": labels})
    labels = {"cluster": CLUSTER, "namespace": "kube-system", "replicaset": "coredns-6f6b679f8f"}
    rules.append({"record": "kube_replicaset_created", "expr": f"vector({time.time():.0f})", "labels": labels})
    file.write_text(yaml.safe_dump({"groups": [{"name": "fakes", "interval": "5s", "rules": rules}]}))
    _reload(observability)
    try:
        yield
    finally:
        file.unlink()
        _reload(observability)


def push_too_long_a_line(observability: Observability) -> None:
    """Gives Loki a line beyond its limit, which it refuses."""
    line = "x" * (300 * 1024)
    body = {"streams": [{"stream": {"job": "dashboards"}, "values": [[str(time.time_ns()), line]]}]}
    request = urllib.request.Request(  # noqa: S310
        f"{observability.loki.url}/loki/api/v1/push",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310
    with refusal.value:
        assert refusal.value.code == 400


def _reload(observability: Observability) -> None:
    request = urllib.request.Request(f"{observability.prometheus.url}/-/reload", method="POST")  # noqa: S310
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310


def _status(url: str) -> int:
    address = str(UNSEEN[getrandbits(64)])
    request = urllib.request.Request(url, headers={"X-Forwarded-For": address})  # noqa: S310
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code
