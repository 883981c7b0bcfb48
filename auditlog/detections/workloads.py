"""Workloads that reach beyond their container, or that touch the cluster's own.

The caller is whoever wrote the Pod or its template. Pods that controllers of kube-system make from a template are left
out, because the template's author is already known.
"""

from __future__ import annotations

from auditlog.detections.callers import Callers
from auditlog.detections.json_patch import COPIES_UNSEEN, sets
from auditlog.detections.model import (
    NO_DRY_RUN,
    WORKLOADS,
    WRITES,
    Annotated,
    Detection,
    Events,
    Requests,
    Severity,
)
from auditlog.policy.model import GroupResources, Level

_BODIES = (Requests(WRITES, WORKLOADS, level=Level.REQUEST),)
_WROTE = "{{ $labels.user }} wrote {{ $labels.resource }} {{ $labels.namespace }}/{{ $labels.name }}"
_BY = ("user", "resource", "namespace", "name")
# "//etc" and "/./etc" are /etc too.
_SLASH = r"/+(\./+)*"
_WHOLE = r'(/[^"]*)?'
_SENSITIVE_PATHS = (
    rf"({_SLASH}\.?|{_SLASH}(etc|root|home|proc|sys|dev|run|boot){_WHOLE}|{_SLASH}var(/*|{_SLASH}run{_WHOLE}"
    rf"|{_SLASH}lib(/*|{_SLASH}(kubelet|etcd|containerd|docker|crio|rancher){_WHOLE})))"
)
_POWERS = (
    "ALL|BPF|DAC_OVERRIDE|DAC_READ_SEARCH|MAC_ADMIN|NET_ADMIN|PERFMON|SYS_ADMIN|SYS_BOOT|SYS_CHROOT|SYS_MODULE"
    "|SYS_PTRACE|SYS_RAWIO"
)
_POWER = rf'"(CAP_)?({_POWERS})"'
_ADDED = "|".join(
    (
        rf'"add":\[[^]]*{_POWER}',
        sets("/capabilities/add", rf"\[[^]]*{_POWER}[^]]*\]"),
        sets('/capabilities/add/[^/"]+', _POWER),
    )
)
_HOST_PATHS = "|".join(
    (
        f'"hostPath":\\{{[^}}]*"path":"{_SENSITIVE_PATHS}"',
        sets("/hostPath/path", f'"{_SENSITIVE_PATHS}"'),
        sets("/hostPath", rf'\{{[^}}]*"path":"{_SENSITIVE_PATHS}"[^}}]*\}}'),
    )
)
# kubectl apply, edit and set send the order of all containers along; a server-side apply sends a whole object.
_CONTAINER = '"path":"[^"]*/(initC|c)ontainers/[^/"]+"'
_PATCHED_IN = "|".join(
    (
        r'"requestObject":\{[^$]*"(initC|c)ontainers":\[\{',
        rf'{_CONTAINER},("op":"[a-z]+",)?"value":\{{',
        rf'\}},("op":"[a-z]+",)?{_CONTAINER}',
    )
)
_WHOLE_OBJECT = r'"requestObject":\{("apiVersion":"[^"]*",)?"kind":"'


def _with(body: str, key: str, value: str = ".+") -> Events:
    """Writes of workloads whose body matches the expression, or whose annotation `key` matches `value`."""
    return Events(
        requests=_BODIES,
        callers=Callers.NOT_CONTROL_PLANE,
        lines=(f"|~ `{body}`", NO_DRY_RUN),
        by=_BY,
        unseen=(COPIES_UNSEEN,),
        annotated=Annotated("workload", key, value, "workload-change"),
    )


DETECTIONS = (
    Detection(
        id="privileged-container",
        title="A privileged container was written",
        severity=Severity.CRITICAL,
        source=_with(f'"privileged":true|{sets("/privileged", "true")}', "privileged"),
        summary=f"{_WROTE}, privileged",
        meaning="A privileged container is root on its node, and with that every Pod and Secret of the node.",
        false_positives="Network and storage add-ons, node agents.",
    ),
    Detection(
        id="host-namespace",
        title="A workload shares the node's network, processes or IPC",
        severity=Severity.WARNING,
        source=_with(f'"host(Network|PID|IPC)":true|{sets("/host(Network|PID|IPC)", "true")}', "hostNamespaces"),
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
        source=_with(_HOST_PATHS, "hostPath", rf"(.*, )?{_SENSITIVE_PATHS}(, .*)?"),
        summary=f"{_WROTE} with a host path",
        meaning=(
            "/etc/kubernetes holds the cluster's keys, /var/lib/kubelet the tokens and Secrets of the node's "
            "Pods. The runtime's socket opens all of them. With /etc or /root a container becomes the node."
        ),
        false_positives="Storage and network add-ons, log shippers, node agents.",
    ),
    Detection(
        id="dangerous-capability",
        title="A container was given a capability that reaches beyond it",
        severity=Severity.WARNING,
        source=_with(_ADDED, "capabilities", rf".* (CAP_)?({_POWERS})([ ,].*)?"),
        summary=f"{_WROTE} with a capability beyond the default",
        meaning=(
            "SYS_ADMIN, SYS_PTRACE or SYS_MODULE make a container nearly as strong as a privileged one; NET_ADMIN sees "
            "and changes the traffic of its Pod's network."
        ),
        false_positives="Network add-ons, service meshes, profilers and node agents.",
    ),
    Detection(
        id="container-patched-in",
        title="A container was patched into a workload",
        severity=Severity.INFO,
        source=Events(
            requests=(Requests(("patch",), WORKLOADS, level=Level.REQUEST),),
            callers=Callers.NOT_CONTROL_PLANE,
            lines=(f"|~ `{_PATCHED_IN}`", f"!~ `{_WHOLE_OBJECT}`", NO_DRY_RUN),
            by=_BY,
            unseen=(
                COPIES_UNSEEN,
                "a container added with kubectl apply or edit, or with a server-side apply: the log does not tell it "
                "from a changed image",
            ),
            annotated=Annotated("workload-change", "added"),
        ),
        summary=f"{_WROTE}: its containers were patched",
        meaning="A second container shares the Pod's network, volumes and ServiceAccount, and logs as part of it.",
        false_positives="`kubectl patch` of an image or a resource limit; scripts that patch instead of applying.",
    ),
    Detection(
        id="node-port-opened",
        title="A Service was opened on a port of every node",
        severity=Severity.INFO,
        source=Events(
            requests=(Requests(WRITES, (GroupResources("", ("services",)),), level=Level.REQUEST),),
            callers=Callers.NOT_CONTROL_PLANE,
            lines=(f"""|~ `"type":"NodePort"|{sets("/spec/type", '"NodePort"')}`""", NO_DRY_RUN),
            by=("user", "namespace", "name"),
            unseen=(COPIES_UNSEEN,),
            annotated=Annotated("service", "type", ".* -> NodePort"),
        ),
        summary="{{ $labels.user }} opened Service {{ $labels.namespace }}/{{ $labels.name }} on every node",
        meaning="Whoever reaches a node reaches the Service, past the load balancer and what it checks.",
        false_positives="Clusters whose load balancer sends to node ports; ingress controllers.",
    ),
    Detection(
        id="workload-in-kube-system",
        title="A workload of kube-system or kube-public was written",
        severity=Severity.WARNING,
        source=Events(
            requests=(Requests(WRITES, WORKLOADS, namespaces=("kube-system", "kube-public")),),
            callers=Callers.NOT_CONTROL_PLANE,
            lines=(NO_DRY_RUN,),
            by=("user", "verb", "resource", "namespace", "name"),
        ),
        summary=(
            "{{ $labels.user }}: {{ $labels.verb }} of {{ $labels.resource }} "
            "{{ $labels.namespace }}/{{ $labels.name }}"
        ),
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
