"""Which detections one and the same act raises, so that it rings once.

An exec into a Pod of kube-system is a session, a session in kube-system, and perhaps a suspicious command. Alerts of
such a group carry the label `act`. While one is firing, Alertmanager can hold back the milder ones of the same act and
user (`inhibit_rules`, https://prometheus.io/docs/alerting/latest/configuration/#inhibition-related-settings).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditlog.detections.model import Severity

ACTS: Mapping[str, tuple[str, ...]] = {
    "session": (
        "exec-session",
        "exec-in-kube-system",
        "suspicious-exec-command",
        "attach-or-port-forward",
        "proxy-to-workload",
        "node-proxy-used",
        "ephemeral-container-added",
    ),
    "secret": (
        "secret-read-by-person",
        "secret-changed-by-person",
        "secret-sweep",
        "secrets-listed-everywhere",
        "kube-system-secrets-listed",
    ),
    "rights": (
        "cluster-admin-bound",
        "binding-to-everyone",
        "wildcard-role",
        "escalating-verb-granted",
        "sensitive-access-granted",
        "system-role-changed",
        "service-account-bound-cluster-wide",
        "rbac-change-rate",
        "rbac-changed-by-workload",
    ),
    "workload": (
        "privileged-container",
        "host-namespace",
        "sensitive-host-path",
        "dangerous-capability",
        "container-patched-in",
        "workload-in-kube-system",
    ),
}
"""Detections by the act that they are about."""
_ACT = {detection: act for act, detections in ACTS.items() for detection in detections}


def act_of(detection_id: str) -> str:
    """The act that a detection is about; "" for one that no other detection sees as well."""
    return _ACT.get(detection_id, "")


def inhibit_rules() -> list[dict[str, Any]]:
    """For Alertmanager: a graver alert holds back the milder ones of the same act, user and cluster."""
    return [
        {
            "source_matchers": [f'severity="{graver.value}"', 'act!=""'],
            "target_matchers": [f'severity=~"{"|".join(each.value for each in milder)}"', 'act!=""'],
            "equal": ["cluster", "act", "user"],
        }
        for graver, milder in (
            (Severity.CRITICAL, (Severity.WARNING, Severity.INFO)),
            (Severity.WARNING, (Severity.INFO,)),
        )
    ]
