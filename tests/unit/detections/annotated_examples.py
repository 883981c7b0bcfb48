"""For every detection that reads an annotation: events at Metadata that must make it fire, and some that must not.

What a real API server writes into them is found out by `tests/engine/test_annotations.py`.
"""

from __future__ import annotations

from dataclasses import replace

from auditlog.annotations.model import POLICY_PREFIX, SENTINEL, STATIC_SUFFIX
from tests.unit.detections.events import Example
from tests.unit.detections.examples import ALICE, CONTROLLER, DRY_RUN

_DEPLOYMENT = f"{ALICE} patch deployments.apps default/web"
_BINDING = f"{ALICE} patch clusterrolebindings extra"
_ROLE = f"{ALICE} update clusterroles wide"
_REQUEST = f"{ALICE} create certificatesigningrequests"
_SERVICE = f"{ALICE} update services default/web"
_NAMESPACE = f"{ALICE} patch namespaces default"


def annotated(phrase: str, query: str = "", code: int = 200, suffix: str = "", **entries: dict[str, str]) -> Example:
    """An event with annotations, by entry, with `_` for `-`; all are complete. ``suffix`` is that of a file's."""
    said = {
        f"{POLICY_PREFIX}{entry.replace('_', '-')}{suffix}/{key}": value
        for entry, values in entries.items()
        for key, value in {**values, SENTINEL: "yes"}.items()
    }
    return Example(phrase, code, query=query, annotations=said)


def _from_both(phrase: str, code: int, static: dict[str, str], forged: dict[str, str]) -> Example:
    """A file's annotations of a binding, and what somebody's policy of the API says under the same entry."""
    ours, theirs = annotated(phrase, code=code, suffix=STATIC_SUFFIX, binding=static), annotated(phrase, binding=forged)
    return replace(ours, annotations={**theirs.annotations, **ours.annotations})


_CHANGED = {"changed": "specification"}
_SAME = {"changed": "no change"}

FIRES = {
    "privileged-container": (
        annotated(_DEPLOYMENT, workload={"privileged": "main"}, workload_change=_CHANGED),
        annotated(f"{ALICE} create pods default/web", code=201, workload={"privileged": "main, second"}),
        annotated(_DEPLOYMENT, suffix=STATIC_SUFFIX, workload={"privileged": "main"}, workload_change=_CHANGED),
    ),
    "host-namespace": (annotated(_DEPLOYMENT, workload={"hostNamespaces": "hostPID"}, workload_change=_CHANGED),),
    "sensitive-host-path": tuple(
        annotated(_DEPLOYMENT, workload={"hostPath": path}, workload_change=_CHANGED)
        for path in (
            "/",
            "/etc/kubernetes",
            "/srv/data, /var/lib/kubelet, /tmp",
            "/srv/a\nb, //etc",
            "/var/run/docker.sock",
        )
    ),
    "dangerous-capability": tuple(
        annotated(_DEPLOYMENT, workload={"capabilities": given}, workload_change=_CHANGED)
        for given in ("main SYS_ADMIN", "main CHOWN CAP_NET_ADMIN KILL, second CHOWN", "a CHOWN, b ALL")
    ),
    "container-patched-in": (annotated(_DEPLOYMENT, workload_change={"added": "b", "images": "b:  -> x"}),),
    "node-port-opened": (
        annotated(_SERVICE, service={"type": "ClusterIP -> NodePort"}),
        annotated(f"{ALICE} create services default/web", code=201, service={"type": "none -> NodePort"}),
    ),
    "cluster-admin-bound": (
        annotated(_BINDING, binding={"role": "ClusterRole cluster-admin", "subjects": "User a", "changed": "subjects"}),
        annotated(f"{ALICE} create clusterrolebindings", code=201, binding={"role": "ClusterRole cluster-admin"}),
        _from_both(
            f"{ALICE} create clusterrolebindings",
            201,
            {"role": "ClusterRole cluster-admin"},
            {"role": "ClusterRole view", "changed": "no change"},
        ),
    ),
    "binding-to-everyone": (
        annotated(_BINDING, binding={"subjects": "User a, Group system:authenticated, User b", "changed": "subjects"}),
        annotated(_BINDING, binding={"subjects": "User a\nb, User system:anonymous", "changed": "subjects"}),
    ),
    "service-account-bound-cluster-wide": (
        annotated(_BINDING, binding={"subjects": "User a, ServiceAccount default/a", "changed": "subjects"}),
    ),
    "wildcard-role": (annotated(_ROLE, role={"wildcards": "resources, groups", "changed": "rules"}),),
    "escalating-verb-granted": (annotated(_ROLE, role={"escalating": "bind", "changed": "rules"}),),
    "sensitive-access-granted": (annotated(_ROLE, role={"sensitive": "secrets", "changed": "rules"}),),
    "pod-security-lowered": (
        annotated(_NAMESPACE, namespace={"podSecurity": "restricted -> none"}),
        annotated(_NAMESPACE, namespace={"podSecurity": "none -> privileged"}),
    ),
    "client-certificate-requested": (
        annotated(_REQUEST, code=201, certificate={"signer": "kubernetes.io/kube-apiserver-client"}),
    ),
}

QUIET = {
    "privileged-container": (
        annotated(_DEPLOYMENT, workload={"privileged": "main"}, workload_change=_SAME),
        annotated(_DEPLOYMENT, workload={"serviceAccount": "privileged"}, workload_change=_CHANGED),
        annotated(_DEPLOYMENT, suffix=STATIC_SUFFIX, workload={"privileged": "main"}, workload_change=_SAME),
        annotated(_DEPLOYMENT, query=DRY_RUN, workload={"privileged": "main"}, workload_change=_CHANGED),
        annotated(_DEPLOYMENT, code=403, workload={"privileged": "main"}, workload_change=_CHANGED),
        annotated(f"{CONTROLLER} create pods default/web", code=201, workload={"privileged": "main"}),
        # An annotation of somebody else's policy, and a user who is called like one.
        Example(_DEPLOYMENT, annotations={"mine/x": '"audit-annotations-workload/privileged":"main"'}),
        Example(_DEPLOYMENT, agent="audit-annotations-workload/privileged"),
    ),
    "host-namespace": (annotated(_DEPLOYMENT, workload={"hostPath": "/srv"}, workload_change=_CHANGED),),
    "sensitive-host-path": tuple(
        annotated(_DEPLOYMENT, workload={"hostPath": path}, workload_change=_CHANGED)
        for path in ("/srv/data", "/var/log/pods", "/srv/etc", "/var/lib/other, /opt")
    ),
    "dangerous-capability": (
        annotated(_DEPLOYMENT, workload={"capabilities": "all CHOWN NET_BIND_SERVICE"}, workload_change=_CHANGED),
    ),
    "container-patched-in": (annotated(_DEPLOYMENT, workload_change={"images": "a: x -> y", **_CHANGED}),),
    "node-port-opened": (annotated(_SERVICE, service={"type": "NodePort -> ClusterIP"}),),
    "cluster-admin-bound": (
        annotated(_BINDING, binding={"role": "ClusterRole cluster-admin", "changed": "no change"}),
        annotated(_BINDING, binding={"role": "ClusterRole cluster-admins", "changed": "subjects"}),
    ),
    "binding-to-everyone": (
        annotated(_BINDING, binding={"subjects": "User a, Group system:authenticated-not", "changed": "subjects"}),
    ),
    "service-account-bound-cluster-wide": (
        annotated(_BINDING, binding={"subjects": "User ServiceAccount", "changed": "subjects"}),
        annotated(f"{ALICE} create rolebindings default/a", code=201, binding={"subjects": "ServiceAccount default/a"}),
    ),
    "wildcard-role": (annotated(_ROLE, role={"wildcards": "groups", "changed": "rules"}),),
    "escalating-verb-granted": (annotated(_ROLE, role={"sensitive": "secrets", "changed": "rules"}),),
    "sensitive-access-granted": (annotated(_ROLE, role={"escalating": "bind", "changed": "rules"}),),
    "pod-security-lowered": (annotated(_NAMESPACE, namespace={"podSecurity": "privileged -> baseline"}),),
    "client-certificate-requested": (annotated(_REQUEST, certificate={"signer": "kubernetes.io/kubelet-serving"}),),
}

_COMPLETE_DEPLOYMENT = {"workload": {}, "workload_change": _SAME}

UNANNOTATED = (
    Example(_DEPLOYMENT),
    annotated(_DEPLOYMENT, workload={}),
    Example(f"{CONTROLLER} create pods default/web", 201),
    Example(f"{ALICE} delete secrets default/a"),
    Example(f"{ALICE} get pods/exec default/web", 101),
    Example(f"{ALICE} patch configmaps default/a"),
    # The key in an object, and the value of another policy, are no sentinel.
    Example(
        f"{ALICE} update secrets default/a",
        body={"metadata": {"annotations": {"audit-annotations-secret/complete": "yes"}}},
        annotations={"mine/x": '"audit-annotations-secret/complete":"yes"'},
    ),
)
"""Writes that lack a sentinel of the catalogue."""

ANNOTATED = (
    annotated(_DEPLOYMENT, workload={}, workload_change=_SAME),
    annotated(_DEPLOYMENT, suffix=STATIC_SUFFIX, workload={}, workload_change=_SAME),
    annotated(f"{ALICE} create pods default/web", code=201, workload={}),
    # A server-side apply that creates is no update.
    annotated(f"{ALICE} patch deployments.apps default/new", code=201, workload={}),
    Example(f"{ALICE} patch configmaps default/new", 201),
    Example(f"{ALICE} create configmaps default/a", 201),
    Example(f"{ALICE} patch deployments.apps default/web", 409),
    Example(f"{ALICE} get pods default/web"),
    Example(f"{ALICE} patch pods/status default/web"),
    Example(f"{ALICE} deletecollection pods default/"),
    Example(f"{ALICE} update leases.coordination.k8s.io default/a"),
)
"""What has its sentinels, and what no entry annotates."""
