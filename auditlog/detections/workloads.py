"""Workloads that reach beyond their container, or that touch the cluster's own.

The caller is whoever wrote the Pod or its template; Pods that controllers of kube-system make from a template are left
out, because the template's author is already known.
"""

from __future__ import annotations

from auditlog.detections.callers import Callers
from auditlog.detections.model import (
    NO_DRY_RUN,
    WORKLOADS,
    WRITES,
    Detection,
    Events,
    Requests,
    Severity,
)
from auditlog.policy.model import GroupResources, Level

_BODIES = (Requests(WRITES, WORKLOADS, level=Level.REQUEST),)
_WROTE = "{{ $labels.user }} wrote {{ $labels.resource }} {{ $labels.namespace }}/{{ $labels.name }}"
_BY = ("user", "resource", "namespace", "name")
_SENSITIVE_PATHS = r'(/|/(etc|root|proc|sys|dev|run|var/run|var/lib/(kubelet|etcd|containerd|docker))(/[^"]*)?)'

DETECTIONS = (
    Detection(
        id="privileged-container",
        title="A privileged container was written",
        severity=Severity.CRITICAL,
        source=Events(
            requests=_BODIES,
            callers=Callers.NOT_CONTROL_PLANE,
            lines=('|= `"privileged":true`', NO_DRY_RUN),
            by=_BY,
        ),
        summary=f"{_WROTE}, privileged",
        meaning="A privileged container is root on its node, and with that every Pod and Secret of the node.",
        false_positives="Network and storage add-ons, node agents.",
    ),
    Detection(
        id="host-namespace",
        title="A workload shares the node's network, processes or IPC",
        severity=Severity.WARNING,
        source=Events(
            requests=_BODIES,
            callers=Callers.NOT_CONTROL_PLANE,
            lines=('|~ `"host(Network|PID|IPC)":true`', NO_DRY_RUN),
            by=_BY,
        ),
        summary=f"{_WROTE} with host namespaces",
        meaning=(
            "hostNetwork reaches what listens on the node's loopback and passes by NetworkPolicies; hostPID sees every "
            "process of the node and its environment."
        ),
        false_positives="Node agents and monitoring, ingress controllers on the host's network.",
    ),
    Detection(
        id="sensitive-host-path",
        title="A workload mounts a sensitive folder of its node",
        severity=Severity.CRITICAL,
        source=Events(
            requests=_BODIES,
            callers=Callers.NOT_CONTROL_PLANE,
            lines=(f'|~ `"hostPath":\\{{[^}}]*"path":"{_SENSITIVE_PATHS}"`', NO_DRY_RUN),
            by=_BY,
        ),
        summary=f"{_WROTE} with a host path",
        meaning=(
            "/etc/kubernetes holds the cluster's keys, /var/lib/kubelet the tokens and Secrets of the node's "
            "Pods. The runtime's socket opens all of them. With /etc or /root a container becomes the node."
        ),
        false_positives="Storage and network add-ons, log shippers, node agents.",
    ),
    Detection(
        id="workload-in-kube-system",
        title="A workload of kube-system was written",
        severity=Severity.WARNING,
        source=Events(
            requests=(Requests(WRITES, WORKLOADS, namespaces=("kube-system",)),),
            callers=Callers.NOT_CONTROL_PLANE,
            lines=(NO_DRY_RUN,),
            by=("user", "verb", "resource", "name"),
        ),
        summary="{{ $labels.user }}: {{ $labels.verb }} of {{ $labels.resource }} kube-system/{{ $labels.name }}",
        meaning="What runs here runs beside the cluster's own add-ons, may use their accounts and is rarely looked at.",
        false_positives="Installing or upgrading an add-on; `kubectl rollout restart` of CoreDNS.",
    ),
    Detection(
        id="cluster-configuration-changed",
        title="A ConfigMap that configures the cluster was changed",
        severity=Severity.WARNING,
        source=Events(
            requests=(
                Requests(
                    ("update", "patch", "delete"),
                    (
                        GroupResources(
                            "",
                            ("configmaps",),
                            (
                                "coredns",
                                "extension-apiserver-authentication",
                                "kube-proxy",
                                "kubeadm-config",
                                "kubelet-config",
                            ),
                        ),
                    ),
                    namespaces=("kube-system",),
                ),
            ),
            callers=Callers.NOT_CONTROL_PLANE,
            by=("user", "verb", "name"),
        ),
        summary="{{ $labels.user }}: {{ $labels.verb }} of ConfigMap kube-system/{{ $labels.name }}",
        meaning=(
            "CoreDNS can be made to answer with another address. kubeadm-config decides the next upgrade's API "
            "server flags, audit flags among them."
        ),
        false_positives="kubeadm upgrades; `pulumi up` of this project, which writes kubeadm-config.",
    ),
    Detection(
        id="mass-deletion",
        title="One caller deleted many objects",
        severity=Severity.CRITICAL,
        source=Events(
            requests=(
                Requests(
                    ("delete", "deletecollection"),
                    (
                        GroupResources(
                            "",
                            (
                                "configmaps",
                                "namespaces",
                                "persistentvolumeclaims",
                                "persistentvolumes",
                                "pods",
                                "secrets",
                                "services",
                            ),
                        ),
                        GroupResources("apps", ("deployments", "daemonsets", "statefulsets")),
                        GroupResources("batch", ("jobs", "cronjobs")),
                    ),
                ),
            ),
            callers=Callers.NOT_CONTROL_PLANE,
            by=("user", "sourceIP"),
        ),
        threshold=50,
        summary="{{ $labels.user }} deleted {{ $value | humanize }} objects in five minutes",
        meaning="A script, a wrong context or an intruder removes what runs here.",
        false_positives="Taking down a test environment; GitOps pruning; batch systems that delete their own Pods.",
    ),
)
