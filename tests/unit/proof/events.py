"""An event of a marker as an API server writes it, with parts of it changed."""

from __future__ import annotations

import json
from typing import Any

from auditlog.plan.marker import Marker
from auditlog.policy.model import Level

MARKER = Marker("create", "configmaps", "kube-system", Level.METADATA)
NAME = "kubernetes-audit-proof-0"
_EVENT = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "Metadata",
    "auditID": "e1",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/kube-system/configmaps?dryRun=All&fieldManager=kubectl-create",
    "verb": "create",
    "user": {"username": "kubernetes-admin", "groups": ["kubeadm:cluster-admins"]},
    "sourceIPs": ["127.0.0.1"],
    "userAgent": "kubectl",
    "objectRef": {"resource": "configmaps", "namespace": "kube-system", "name": NAME, "apiVersion": "v1"},
    "responseStatus": {"metadata": {}, "code": 201},
    "requestReceivedTimestamp": "2026-01-01T00:00:00.250000Z",
    "stageTimestamp": "2026-01-01T00:00:00.500000Z",
    "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
}


def line(**changed: Any) -> str:
    """One line of the log; None takes a field away."""
    event = {name: value for name, value in {**_EVENT, **changed}.items() if value is not None}
    return json.dumps(event, separators=(",", ":"))
