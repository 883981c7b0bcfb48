"""The settings of the source documents, one stack file each, and the flags that the documents ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
PREFIX = "kubernetes-audit:"

_POLICY = "/etc/kubernetes/audit-policy.yaml"
_STANDARD_LOG = "/var/log/kubernetes/audit/audit.log"
_SEED_001 = {
    "audit-policy-file": _POLICY,
    "audit-log-path": _STANDARD_LOG,
    "audit-log-batch-max-size": "5",
    "audit-log-compress": "true",
    "audit-log-format": "json",
    "audit-log-maxage": "30",
    "audit-log-maxbackup": "100",
    "audit-log-maxsize": "50",
    "audit-log-mode": "batch",
    "audit-log-truncate-enabled": "true",
    "audit-log-truncate-max-batch-size": "10485760",
    "audit-log-truncate-max-event-size": "102400",
    "audit-log-version": "audit.k8s.io/v1",
}

FLAGS: dict[str, dict[str, str]] = {
    "000": {
        "audit-policy-file": _POLICY,
        "audit-log-path": _STANDARD_LOG,
        "audit-log-maxage": "30",
        "audit-log-maxbackup": "10",
        "audit-log-maxsize": "100",
    },
    "001": _SEED_001,
    "001-throttle": {
        **_SEED_001,
        "audit-log-batch-max-wait": "5s",
        "audit-log-batch-throttle-enable": "true",
        "audit-log-batch-throttle-qps": "10",
        "audit-log-batch-throttle-burst": "15",
    },
    "002": {
        "audit-policy-file": "/etc/kubernetes/prod-audit.yaml",
        "audit-log-path": "/var/log/kubernetes/audit/prod-audit.log",
        "audit-log-maxage": "30",
        "audit-log-maxbackup": "10",
        "audit-log-maxsize": "100",
    },
    "003": {
        "audit-policy-file": _POLICY,
        "audit-log-path": "/var/log/kube-audit/audit.log",
        "audit-log-maxage": "30",
        "audit-log-maxbackup": "10",
        "audit-log-maxsize": "1000",
    },
    "003-stdout": {"audit-policy-file": _POLICY, "audit-log-path": "-"},
    "004": {
        "audit-policy-file": _POLICY,
        "audit-log-path": "/var/log/kubernetes/audit.log",
        "audit-log-maxsize": "100",
        "audit-log-maxbackup": "10",
        "audit-log-maxage": "30",
        "audit-webhook-config-file": "/etc/kubernetes/audit-webhook.yaml",
    },
    "004-stdout": {"audit-policy-file": _POLICY, "audit-log-path": "-"},
}
"""By the name of the stack file. Deckhouse's guide leaves the number of files to the stack's default; Palette's guide
writes the two booleans without a value.

000 is the single-node runbook, 001 Palette's guide "Enable API Audit Logging", and 002 the notes "Kubernetes audit
logs". 003 is Deckhouse's guide to the Kubernetes API event audit, and 004 the article "Kubernetes API server audit
logging: policy, backends, and forensics".
"""


def configuration(name: str) -> dict[str, Any]:
    """The keys of the stack file without the project's prefix."""
    written = yaml.safe_load((FOLDER / f"Pulumi.{name}.yaml").read_text())["config"]
    return {key.removeprefix(PREFIX): value for key, value in written.items()}
