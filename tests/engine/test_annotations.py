"""The catalogue of audit annotations on a real API server: what an event at Metadata says, and what it never says."""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pulumi_kubernetes import meta

from auditlog.annotations.model import MADE_MARK, OWNER_MARK, SENTINEL, Entry
from auditlog.annotations.read import catalogue
from auditlog.annotations.render import BINDING, POLICY, astray
from components.annotations import Annotations
from components.kubernetes_provider import LABELS
from components.scope import Scope
from tests.engine.kubernetes_api import KubernetesApi, KubernetesApiError, serving
from tests.engine.kubernetes_stack import Declare, Stack, program

pytest_plugins = ("tests.engine.kubernetes_fixtures",)

_POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
_BINDINGS = f"{_POLICIES.removesuffix('ies')}ybindings"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_SECRET = "canary-value"
_ENFORCE = "pod-security.kubernetes.io/enforce"
_STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class Audited:
    """An API server that records everything at Metadata, with the catalogue in force, and a namespace to work in."""

    api: KubernetesApi
    log: Path

    def events(self) -> Sequence[Mapping[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def annotations(self, request: Callable[[], object]) -> Mapping[str, str]:
        """What the catalogue adds to the one event of a request, its own sentinels left out."""
        return {key: value for key, value in self.everything(request).items() if not key.endswith(f"/{SENTINEL}")}

    def everything(self, request: Callable[[], object]) -> Mapping[str, str]:
        """The same with the sentinels."""
        before = len(self.events())
        request()
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            mine = [each for each in self.events()[before:] if each["userAgent"].startswith("Python-urllib")]
            if mine:
                given = mine[0].get("annotations", {})
                start = "audit-annotations-"
                return {key.removeprefix(start): value for key, value in given.items() if key.startswith(start)}
            time.sleep(0.05)
        pytest.fail("the request is not in the audit log")


def declared(
    leave_out: Sequence[str] = (),
    there: Mapping[str, str] | None = None,
    owners: Mapping[str, str | None] | None = None,
    owner: str = "me",
) -> Declare:
    def declare(options: pulumi.ResourceOptions) -> None:
        entries = [entry for entry in catalogue() if entry.name not in leave_out]
        assert isinstance(options.provider, pulumi.ProviderResource)
        Annotations("annotations", entries, there, owners, [], Scope(owner), options.provider)

    return declare


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    folder = tmp_path_factory.mktemp("audited-api")
    policy, log = folder / "policy.yaml", folder / "audit.log"
    policy.write_text(
        json.dumps(
            {
                "apiVersion": "audit.k8s.io/v1",
                "kind": "Policy",
                "omitStages": ["RequestReceived", "ResponseStarted"],
                "rules": [{"level": "Metadata"}],
            }
        )
    )
    flags = (f"--audit-policy-file={policy}", f"--audit-log-path={log}", "--allow-privileged=true")
    with serving(folder, *flags) as api:
        yield Audited(api, log)


@pytest.fixture
def audited(server: Audited, stack: Stack) -> Iterator[Audited]:
    """With the catalogue put in force by the component."""
    stack.up(program(declared(), server.api.kubeconfig()))
    space = {"metadata": {"name": "demo"}}
    with contextlib.suppress(KubernetesApiError):
        server.api.create("/api/v1/namespaces", space)
    with contextlib.suppress(KubernetesApiError):
        server.api.create("/api/v1/namespaces/demo/serviceaccounts", {"metadata": {"name": "default"}})
    probe = f"{_RBAC}/namespaces/demo/roles"
    role = {"metadata": {"generateName": "probe-"}, "rules": []}
    deadline = time.monotonic() + 300
    # A policy works a few seconds after it was made.
    while not server.everything(lambda: server.api.create(probe, role)):
        assert time.monotonic() < deadline, "the catalogue is not in force"
    yield server
    stack.destroy()


def configmaps(audited: Audited) -> None:
    api, path = audited.api, "/api/v1/namespaces/demo/configmaps"
    made = {
        "metadata": {"name": "settings", "labels": {"app": "web"}},
        "data": {"a": _SECRET, "b": "1"},
        "binaryData": {"z": "AAAA"},
    }
    assert audited.annotations(lambda: api.create(path, made)) == {}
    change = {"data": {"a": f"{_SECRET} too", "new": "1"}, "binaryData": {"z": None}}
    changed = audited.annotations(lambda: api.merge(f"{path}/settings", change))
    assert changed.keys() == {"configmap/changed"}
    assert sorted(changed["configmap/changed"].removeprefix("keys ").split(", ")) == ["a", "new", "z"]
    labelled = audited.annotations(lambda: api.merge(f"{path}/settings", {"metadata": {"labels": {"q": "1"}}}))
    assert labelled == {"configmap/changed": "no change"}
    uid = (api.get(f"{path}/settings") or {})["metadata"]["uid"]
    deleted = audited.annotations(lambda: api.request("DELETE", f"{path}/settings"))
    assert deleted.pop("deleted/labels") in ("app=web, q=1", "q=1, app=web")  # type: ignore[attr-defined]
    assert deleted == {"deleted/uid": uid}
    api.create(path, made)
    collection = audited.annotations(lambda: api.request("DELETE", path))
    assert collection["deleted/collection"] == "yes"


def secrets(audited: Audited) -> None:
    api, path = audited.api, "/api/v1/namespaces/demo/secrets"
    made = {"metadata": {"name": "login"}, "stringData": {"password": _SECRET}}
    assert audited.annotations(lambda: api.create(path, made)) == {}
    change = {"stringData": {"password": f"{_SECRET} too"}}
    assert audited.annotations(lambda: api.merge(f"{path}/login", change)) == {"secret/changed": "keys password"}
    assert "deleted/uid" in audited.annotations(lambda: api.request("DELETE", f"{path}/login"))


POD = {
    "serviceAccountName": "default",
    "hostNetwork": True,
    "hostPID": True,
    "volumes": [{"name": "etc", "hostPath": {"path": "/etc"}}],
    "initContainers": [{"name": "first", "image": "x:1"}],
    "containers": [
        {
            "name": "main",
            "image": "x:1",
            "env": [{"name": "PASSWORD", "value": _SECRET}],
            "securityContext": {"privileged": True, "capabilities": {"add": ["SYS_ADMIN", "NET_ADMIN"]}},
        }
    ],
}
MAY = {
    "workload/serviceAccount": "default",
    "workload/hostNamespaces": "hostNetwork, hostPID",
    "workload/hostPath": "/etc",
    "workload/privileged": "main",
    "workload/capabilities": "main SYS_ADMIN NET_ADMIN",
}


def workloads(audited: Audited) -> None:
    api, apps = audited.api, "/apis/apps/v1/namespaces/demo/deployments"
    template = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
    spec = {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    assert audited.annotations(lambda: api.create(apps, {"metadata": {"name": "web"}, "spec": spec})) == MAY
    new = {"spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "main", "image": "x:2"}]}}}}
    assert audited.annotations(lambda: api.request("PATCH", f"{apps}/web", new, _STRATEGIC)) == {
        **MAY,
        "workload-change/changed": "specification",
        "workload-change/images": "main: x:1 -> x:2",
        "workload-change/replicas": "0 -> 2",
    }
    labelled = audited.annotations(lambda: api.merge(f"{apps}/web", {"metadata": {"labels": {"q": "1"}}}))
    assert labelled == {**MAY, "workload-change/changed": "no change"}
    second = {"spec": {"template": {"spec": {"containers": [{"name": "beside", "image": "y:1"}]}}}}
    assert audited.annotations(lambda: api.request("PATCH", f"{apps}/web", second, _STRATEGIC)) == {
        **MAY,
        "workload-change/changed": "specification",
        "workload-change/added": "beside",
        "workload-change/images": "beside:  -> y:1",
    }
    scaled = audited.annotations(lambda: api.merge(f"{apps}/web/scale", {"spec": {"replicas": 3}}))
    assert scaled == {"scale/replicas": "2 -> 3"}
    cron = {
        "metadata": {"name": "nightly"},
        "spec": {
            "schedule": "0 0 * * *",
            "jobTemplate": {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}},
        },
    }
    assert audited.annotations(lambda: api.create("/apis/batch/v1/namespaces/demo/cronjobs", cron)) == MAY
    pods = "/api/v1/namespaces/demo/pods"
    assert audited.annotations(lambda: api.create(pods, {"metadata": {"name": "one"}, "spec": POD})) == MAY
    plain = {"metadata": {"name": "plain"}, "spec": {"containers": [{"name": "main", "image": "x"}]}}
    assert audited.annotations(lambda: api.create(pods, plain)) == {"workload/serviceAccount": "default"}


def sessions(audited: Audited) -> None:
    def execute() -> None:
        with contextlib.suppress(KubernetesApiError):
            audited.api.request(
                "POST", "/api/v1/namespaces/demo/pods/one/exec?command=etcdctl&command=version&stdout=1"
            )

    assert audited.annotations(execute) == {"session/command": "etcdctl version"}


def access(audited: Audited) -> None:
    api = audited.api
    rules = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["secrets", "pods/exec"], "verbs": ["get", "impersonate"]},
        {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
    ]
    role = {"metadata": {"name": "all"}, "rules": rules}
    assert audited.annotations(lambda: api.create(f"{_RBAC}/clusterroles", role)) == {
        "role/wildcards": "verbs, resources, groups",
        "role/escalating": "impersonate",
        "role/sensitive": "secrets, pods/exec",
    }
    binding = {
        "metadata": {"name": "all"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [
            {"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"},
            {"kind": "ServiceAccount", "name": "robot", "namespace": "demo"},
        ],
    }
    assert audited.annotations(lambda: api.create(f"{_RBAC}/clusterrolebindings", binding)) == {
        "binding/role": "ClusterRole cluster-admin",
        "binding/subjects": "User eve, ServiceAccount demo/robot",
    }
    labels = {"metadata": {"labels": {"q": "1"}}}
    labelled = audited.annotations(lambda: api.merge(f"{_RBAC}/clusterrolebindings/all", labels))
    assert labelled["binding/changed"] == "no change"
    assert audited.annotations(lambda: api.merge(f"{_RBAC}/clusterroles/all", labels))["role/changed"] == "no change"
    narrowed = audited.annotations(lambda: api.merge(f"{_RBAC}/clusterroles/all", {"rules": []}))
    assert narrowed == {"role/changed": "rules"}


def services(audited: Audited) -> None:
    api, path = audited.api, "/api/v1/namespaces/demo/services"
    made = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    assert audited.annotations(lambda: api.create(path, made)) == {"service/type": "none -> ClusterIP"}
    opened = {"spec": {"type": "NodePort", "externalIPs": ["203.0.113.7"]}}
    assert audited.annotations(lambda: api.merge(f"{path}/web", opened)) == {
        "service/type": "ClusterIP -> NodePort",
        "service/externalIPs": "203.0.113.7",
    }
    assert audited.annotations(lambda: api.merge(f"{path}/web", {"metadata": {"labels": {"q": "1"}}})) == {}


def certificates(audited: Audited) -> None:
    api, path = audited.api, "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "eve")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    asked = {
        "metadata": {"name": "eve"},
        "spec": {
            "request": base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        },
    }
    about = {"certificate/signer": "kubernetes.io/kube-apiserver-client", "certificate/usages": "client auth"}
    assert audited.annotations(lambda: api.create(path, asked)) == about
    reason = {"type": "Approved", "status": "True", "reason": "Test", "message": "it is one"}
    found = api.get(f"{path}/eve") or {}
    approved = {**found, "status": {"conditions": [reason]}}
    assert audited.annotations(lambda: api.request("PUT", f"{path}/eve/approval", approved)) == {
        **about,
        "certificate/requester": found["spec"]["username"],
        "certificate/decision": "Approved",
    }


def namespaces(audited: Audited) -> None:
    api, path = audited.api, "/api/v1/namespaces"
    made = {"metadata": {"name": "other", "labels": {_ENFORCE: "restricted"}}}
    found = audited.annotations(lambda: api.create(path, made))
    assert found == {"namespace/podSecurity": "none -> restricted"}
    lowered = {"metadata": {"labels": {_ENFORCE: None}}}
    found = audited.annotations(lambda: api.merge(f"{path}/other", lowered))
    assert found == {"namespace/podSecurity": "restricted -> none"}
    assert audited.annotations(lambda: api.merge(f"{path}/other", {"metadata": {"labels": {"q": "1"}}})) == {}


def padded(audited: Audited) -> None:
    """What grows too costly is left out, its policy's sentinel with it, and the request goes on."""
    api, path = audited.api, "/apis/apps/v1/namespaces/demo/deployments"
    many: list[dict[str, object]] = [{"name": f"c{number}", "image": "x:1"} for number in range(1500)]
    many[7] |= {"securityContext": {"privileged": True}}
    template = {"metadata": {"labels": {"p": "q"}}, "spec": {"containers": many}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"p": "q"}}, "template": template}
    api.create(path, {"metadata": {"name": "padded"}, "spec": spec})
    change = {"spec": {"template": {"spec": {"containers": [{"name": "c3", "image": "evil:1"}]}}}}
    found = audited.everything(lambda: api.request("PATCH", f"{path}/padded", change, _STRATEGIC))
    assert found["workload/privileged"] == "c7"
    assert f"workload/{SENTINEL}" in found
    assert not {"workload-change/images", f"workload-change/{SENTINEL}"} & found.keys()
    assert "evil:1" in json.dumps(api.get(f"{path}/padded"))


def cut(audited: Audited) -> None:
    """What is longer than an annotation may be has no sentinel: who is bound last would go unseen."""
    named = {"metadata": {"name": "long"}, "roleRef": {"apiGroup": "", "kind": "ClusterRole", "name": "view"}}
    named["roleRef"]["apiGroup"] = "rbac.authorization.k8s.io"
    users = [{"kind": "User", "name": f"nobody-{number:04}", "apiGroup": ""} for number in range(1000)]
    last = {"kind": "Group", "name": "system:authenticated"}
    binding = {**named, "subjects": [{**each, "apiGroup": "rbac.authorization.k8s.io"} for each in (*users, last)]}
    found = audited.everything(lambda: audited.api.create(f"{_RBAC}/clusterrolebindings", binding))
    assert "system:authenticated" not in found["binding/subjects"]
    assert f"binding/{SENTINEL}" not in found


def test_the_events_say_what_changed_and_no_value(audited: Audited) -> None:
    warnings = {
        entry.name: (audited.api.get(f"{_POLICIES}/{entry.policy_name}") or {})["status"].get("typeChecking")
        for entry in catalogue()
    }
    assert set(map(json.dumps, warnings.values())) <= {"{}", "null"}, warnings
    for requests in (configmaps, secrets, workloads, sessions, access, services, certificates, namespaces, padded, cut):
        requests(audited)
    assert _SECRET not in audited.log.read_text()


def test_what_is_left_out_is_taken_away_and_nothing_else_changes(server: Audited, stack: Stack) -> None:
    kubeconfig = server.api.kubeconfig()
    stack.up(program(declared(), kubeconfig))
    again = stack.preview(program(declared(), kubeconfig))
    assert {tuple(steps) for steps in again.operations.values()} == {("same",)}
    stack.up(program(declared(["session"]), kubeconfig))
    there = {each["metadata"]["name"] for each in server.api.request("GET", _POLICIES)["items"]}
    assert there == {entry.policy_name for entry in catalogue() if entry.name != "session"}
    stack.destroy()
    assert server.api.request("GET", _POLICIES)["items"] == []
    assert server.api.request("GET", _BINDINGS)["items"] == []


def objects(api: KubernetesApi) -> dict[str, Mapping[str, Any]]:
    """The policies and bindings that are there, by KIND/NAME."""
    return {
        f"{kind}/{each['metadata']['name']}": each
        for kind, path in ((POLICY, _POLICIES), (BINDING, _BINDINGS))
        for each in api.request("GET", path)["items"]
    }


def owners_of(api: KubernetesApi) -> dict[str, str]:
    return {name: each["metadata"]["annotations"][OWNER_MARK] for name, each in objects(api).items()}


def test_a_former_owners_are_marked_in_place_and_those_that_the_state_lost_are_taken(
    server: Audited, stack: Stack
) -> None:
    api, kubeconfig = server.api, server.api.kubeconfig()
    stack.up(program(declared(owner="before"), kubeconfig))
    made = {name: each["metadata"]["uid"] for name, each in objects(api).items()}
    stack.up(program(declared(owners=owners_of(api)), kubeconfig))
    assert set(owners_of(api).values()) == {"me"}
    again = stack.preview(program(declared(owners=owners_of(api)), kubeconfig))
    assert {tuple(steps) for steps in again.operations.values()} == {("same",)}
    stack.forget()
    stack.up(program(declared(owners=owners_of(api)), kubeconfig))
    assert {name: each["metadata"]["uid"] for name, each in objects(api).items()} == made
    again = stack.preview(program(declared(owners=owners_of(api)), kubeconfig))
    assert {tuple(steps) for steps in again.operations.values()} == {("same",)}
    stack.destroy()


def test_those_of_a_version_that_set_no_mark_are_marked_in_place(
    server: Audited, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, kubeconfig = server.api, server.api.kubeconfig()
    with monkeypatch.context() as earlier:
        earlier.setattr(Annotations, "_metadata", lambda _, __, entry: unmarked(entry))
        stack.up(program(declared(), kubeconfig))
    made = {name: each["metadata"]["uid"] for name, each in objects(api).items()}
    stack.up(program(declared(owners=dict.fromkeys(made)), kubeconfig))
    assert set(owners_of(api).values()) == {"me"}
    assert {name: each["metadata"]["uid"] for name, each in objects(api).items()} == made
    again = stack.preview(program(declared(owners=owners_of(api)), kubeconfig))
    assert {tuple(steps) for steps in again.operations.values()} == {("same",)}
    stack.destroy()


def unmarked(entry: Entry) -> meta.v1.ObjectMetaArgs:
    return meta.v1.ObjectMetaArgs(name=entry.policy_name, labels=LABELS, annotations={MADE_MARK: str(time.time_ns())})


def test_what_somebody_removed_or_changed_is_made_again(server: Audited, stack: Stack) -> None:
    api, kubeconfig = server.api, server.api.kubeconfig()

    def there() -> dict[str, str]:
        return {name: json.dumps(each["spec"]) for name, each in objects(api).items()}

    stack.up(program(declared(there=there()), kubeconfig))
    assert astray(catalogue(), there()) == frozenset()
    again = stack.preview(program(declared(there=there()), kubeconfig))
    assert {tuple(steps) for steps in again.operations.values()} == {("same",)}

    api.request("DELETE", f"{_BINDINGS}/audit-annotations-workload")
    api.request("DELETE", f"{_POLICIES}/audit-annotations-role")
    never = {"spec": {"matchConditions": [{"name": "never", "expression": "false"}]}}
    api.merge(f"{_POLICIES}/audit-annotations-secret", never)
    seen = stack.preview(program(declared(there=there()), kubeconfig))
    for name in (f"{BINDING}/audit-annotations-workload", f"{POLICY}/audit-annotations-secret"):
        assert name in seen.text()
    stack.up(program(declared(there=there()), kubeconfig))
    assert astray(catalogue(), there()) == frozenset()
    again = stack.preview(program(declared(there=there()), kubeconfig))
    assert {tuple(steps) for steps in again.operations.values()} == {("same",)}
    stack.destroy()
