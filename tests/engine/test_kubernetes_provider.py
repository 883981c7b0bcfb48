"""What the program relies on when it keeps objects in a cluster: the official provider on a real API server."""

from __future__ import annotations

import base64
import json
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import DaemonSet
from pulumi_kubernetes.core.v1 import ConfigMap, Namespace, Secret, ServiceAccount
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding

from tests.engine.kubernetes_api import KubernetesApi
from tests.engine.kubernetes_stack import Declare, Stack, program, unique

pytest_plugins = ("tests.engine.kubernetes_fixtures",)

_REPLACED_IN_PLACE = ["delete-replaced", "replace", "create-replacement"]


def _config_map(namespace: str, data: dict[str, str]) -> Declare:
    def declare(options: pulumi.ResourceOptions) -> None:
        ConfigMap("settings", metadata={"namespace": namespace, "name": "settings"}, data=data, opts=options)

    return declare


def _secret(namespace: str, **arguments: Any) -> Declare:
    def declare(options: pulumi.ResourceOptions) -> None:
        Secret("credentials", metadata={"namespace": namespace, "name": "login"}, opts=options, **arguments)

    return declare


def _path(namespace: str, name: str = "settings", plural: str = "configmaps") -> str:
    return f"/api/v1/namespaces/{namespace}/{plural}/{name}"


def _crd(plural: str, kind: str) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [version],
        },
    }


_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def test_every_kind_the_program_uses_is_created_unchanged_afterwards_and_removed(
    kubernetes_api: KubernetesApi, stack: Stack
) -> None:
    kubernetes_api.create(_CRDS, _crd("prometheusrules", "PrometheusRule"))
    name = unique("kinds")
    labels = {"app": "collector"}

    def declare(options: pulumi.ResourceOptions) -> None:
        Namespace("namespace", metadata={"name": name}, opts=options)
        within = pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions())
        ServiceAccount("account", metadata={"name": name, "namespace": name}, opts=within)
        ConfigMap("map", metadata={"name": name, "namespace": name}, data={"a.yaml": "x: 1\n"}, opts=within)
        Secret("secret", metadata={"name": name, "namespace": name}, string_data={"token": "t"}, opts=within)
        rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
        ClusterRole("role", metadata={"name": name}, rules=rules, opts=within)
        ClusterRoleBinding(
            "binding",
            metadata={"name": name},
            role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            subjects=[{"kind": "ServiceAccount", "name": name, "namespace": name}],
            opts=within,
        )
        container = {
            "name": "collector",
            "image": "collector:1",
            "ports": [{"containerPort": 12345}],
            "resources": {"requests": {"cpu": "0.05", "memory": "128Mi"}},
        }
        DaemonSet(
            "collector",
            metadata={"name": name, "namespace": name},
            spec={
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"hostNetwork": True, "containers": [container]},
                },
            },
            opts=within,
        )
        CustomResource(
            "rule",
            api_version="monitoring.coreos.com/v1",
            kind="PrometheusRule",
            metadata={"name": name, "namespace": name},
            spec={"groups": [{"name": "audit", "rules": [{"alert": "A", "expr": "1"}]}]},
            opts=within,
        )

    wanted = program(declare, kubernetes_api.kubeconfig())
    created = stack.up(wanted)
    assert set(map(tuple, created.operations.values())) == {("create",)}
    assert stack.live("collector")["status"]["observedGeneration"] == 1
    again = stack.preview(wanted)
    assert set(map(tuple, again.operations.values())) == {("same",)}, again.differences
    stack.destroy()
    assert kubernetes_api.get(f"/api/v1/namespaces/{name}") is None
    assert kubernetes_api.get(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}") is None
    assert kubernetes_api.get(f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{name}") is None


def test_a_mutable_config_map_keeps_its_identity_and_loses_dropped_keys(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    kubeconfig = kubernetes_api.kubeconfig()
    mutable = {"enable_config_map_mutable": True}
    stack.up(program(_config_map(namespace, {"a": "1", "b": "1"}), kubeconfig, **mutable))
    before = stack.live("settings")["metadata"]["uid"]
    run = stack.up(program(_config_map(namespace, {"a": "2"}), kubeconfig, **mutable))
    assert run.operations["settings"] == ["update"]
    assert run.differences["settings"] == {"data.a": "update", "data.b": "delete"}
    assert stack.live("settings")["metadata"]["uid"] == before
    live = kubernetes_api.get(_path(namespace))
    assert live is not None
    assert live["data"] == {"a": "2"}


def test_a_secret_is_secret_in_the_state_and_replaced_unless_it_may_change_in_place(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    kubeconfig = kubernetes_api.kubeconfig()
    path = _path(namespace, "login", "secrets")
    stack.up(program(_secret(namespace, string_data={"token": "first-value"}), kubeconfig))
    live = kubernetes_api.get(path)
    assert live is not None
    assert base64.b64decode(live["data"]["token"]) == b"first-value"
    state = json.dumps(stack.state("credentials"))
    for clear in ("first-value", live["data"]["token"]):
        assert clear not in state
    encoded = {"token": base64.b64encode(b"first-value").decode()}
    same = stack.preview(program(_secret(namespace, data=encoded), kubeconfig))
    assert same.operations["credentials"] == ["same"], "stringData is another way to write data"

    changed = _secret(namespace, string_data={"token": "second-value"})
    assert stack.preview(program(changed, kubeconfig)).operations["credentials"] == _REPLACED_IN_PLACE
    run = stack.up(program(changed, kubeconfig, enable_secret_mutable=True))
    assert run.operations["credentials"] == ["update"]
    after = kubernetes_api.get(path)
    assert after is not None
    assert after["metadata"]["uid"] == live["metadata"]["uid"]
    assert base64.b64decode(after["data"]["token"]) == b"second-value"


def test_a_hand_edit_shows_only_after_a_refresh_and_is_repaired(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    wanted = program(_config_map(namespace, {"a": "1"}), kubernetes_api.kubeconfig(), enable_config_map_mutable=True)
    stack.up(wanted)
    kubernetes_api.merge(_path(namespace), {"data": {"a": "drift", "more": "x"}}, manager="kubectl-edit")
    assert stack.preview(wanted).operations["settings"] == ["same"]
    refreshed = stack.refresh()
    assert refreshed.properties["settings"]["data"] == {"a": "drift", "more": "x"}
    stack.up(wanted)
    live = kubernetes_api.get(_path(namespace))
    assert live is not None
    assert live["data"] == {"a": "1"}, "what kubectl wrote is taken over, and goes"


def test_a_refresh_forgets_an_object_that_is_gone(kubernetes_api: KubernetesApi, stack: Stack, namespace: str) -> None:
    wanted = program(_config_map(namespace, {"a": "1"}), kubernetes_api.kubeconfig())
    stack.up(wanted)
    kubernetes_api.request("DELETE", _path(namespace))
    stack.refresh()
    assert stack.state("settings") is None
    assert stack.up(wanted).operations["settings"] == ["create"]


def test_deleting_what_is_gone_already_succeeds(kubernetes_api: KubernetesApi, stack: Stack, namespace: str) -> None:
    stack.up(program(_config_map(namespace, {"a": "1"}), kubernetes_api.kubeconfig()))
    kubernetes_api.request("DELETE", _path(namespace))
    stack.destroy()
    assert stack.state("settings") is None
