"""Objects made, compared, replaced, read and removed through the lab's Kubernetes provider, on a real API server.

Each test stands for a line of lab/go/pulumi-resource-kubernetes/COVERAGE.md.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pulumi
import pytest
from pulumi import automation
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import DaemonSet, Deployment
from pulumi_kubernetes.core.v1 import ConfigMap, ConfigMapList, Namespace, Secret, ServiceAccount
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding

from tests.engine.kubernetes_api import KubernetesApi
from tests.engine.kubernetes_stack import Declare, Stack, program, unique

pytest_plugins = ("tests.engine.kubernetes_fixtures",)

_REPLACED_IN_PLACE = ["delete-replaced", "replace", "create-replacement"]
_REPLACED_SIDE_BY_SIDE = ["create-replacement", "replace", "delete-replaced"]


def _config_map(namespace: str, data: dict[str, Any], *, name: str | None = "settings", **arguments: Any) -> Declare:
    metadata: dict[str, Any] = {"namespace": namespace} | ({"name": name} if name else {})

    def declare(options: pulumi.ResourceOptions) -> None:
        ConfigMap("settings", metadata=metadata, data=data, opts=options, **arguments)

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


def test_an_object_without_a_name_is_given_one_that_it_keeps_until_it_is_replaced(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    kubeconfig = kubernetes_api.kubeconfig()
    stack.up(program(_config_map(namespace, {"a": "1"}, name=None), kubeconfig))
    first = stack.live("settings")["metadata"]
    assert re.fullmatch(r"settings-[0-9a-f]{8}", first["name"])
    assert first["annotations"] == {"pulumi.com/autonamed": "true"}
    same = stack.preview(program(_config_map(namespace, {"a": "1"}, name=None), kubeconfig))
    assert same.operations["settings"] == ["same"]
    replaced = stack.up(program(_config_map(namespace, {"a": "2"}, name=None), kubeconfig))
    assert replaced.operations["settings"] == _REPLACED_SIDE_BY_SIDE
    second = stack.live("settings")["metadata"]
    assert re.fullmatch(r"settings-[0-9a-f]{8}", second["name"])
    assert second["name"] != first["name"]
    assert kubernetes_api.get(_path(namespace, first["name"])) is None


def test_check_adds_the_namespace_of_the_provider_and_no_label(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    def declare(options: pulumi.ResourceOptions) -> None:
        ConfigMap("settings", metadata={"name": "settings"}, data={"a": "1"}, opts=options)
        ClusterRole("role", metadata={"name": namespace}, rules=[], opts=options)

    stack.up(program(declare, kubernetes_api.kubeconfig(namespace=namespace)))
    settings, role = stack.state("settings"), stack.state("role")
    assert settings is not None
    assert role is not None
    assert settings["inputs"]["metadata"] == {"name": "settings", "namespace": namespace}
    assert settings["id"] == f"{namespace}/settings"
    assert role["inputs"]["metadata"] == {"name": namespace}
    assert role["id"] == namespace


def test_list_kinds_are_refused(kubernetes_api: KubernetesApi, stack: Stack) -> None:
    def declare(options: pulumi.ResourceOptions) -> None:
        ConfigMapList("several", items=[], opts=options)

    with pytest.raises(automation.CommandError, match="cannot be created"):
        stack.preview(program(declare, kubernetes_api.kubeconfig()))


def test_an_existing_object_is_not_adopted_and_the_preview_does_not_tell(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    kubernetes_api.create(path, {"metadata": {"name": "settings"}, "data": {"a": "theirs"}})
    wanted = program(_config_map(namespace, {"a": "ours"}), kubernetes_api.kubeconfig())
    preview = stack.preview(wanted)
    assert preview.operations["settings"] == ["create"]
    assert 'Retry #0; creation failed: configmaps "settings" already exists' in preview.text()
    with pytest.raises(automation.CommandError, match="already exists"):
        stack.up(wanted)
    assert stack.state("settings") is None
    live = kubernetes_api.get(_path(namespace))
    assert live is not None
    assert live["data"] == {"a": "theirs"}


def test_an_existing_object_is_adopted_where_that_is_asked_for(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    kubernetes_api.create(path, {"metadata": {"name": "settings"}, "data": {"theirs": "1"}})
    kubeconfig = kubernetes_api.kubeconfig()
    stack.up(program(_config_map(namespace, {"ours": "2"}), kubeconfig, upsert_existing_objects=True))
    live = kubernetes_api.get(_path(namespace))
    assert live is not None
    assert live["data"] == {"theirs": "1", "ours": "2"}


def test_a_create_waits_for_the_namespace_and_the_kind_made_in_the_same_run(
    kubernetes_api: KubernetesApi, stack: Stack
) -> None:
    name = unique("later")

    def declare(options: pulumi.ResourceOptions) -> None:
        CustomResource(
            "widget",
            api_version="monitoring.coreos.com/v1",
            kind="Widget",
            metadata={"name": "widget", "namespace": name},
            spec={"size": 1},
            opts=options,
        )
        Namespace("namespace", metadata={"name": name}, opts=options)
        crd = _crd("widgets", "Widget")
        CustomResource(
            "crd",
            api_version=crd["apiVersion"],
            kind=crd["kind"],
            metadata=crd["metadata"],
            spec=crd["spec"],
            opts=options,
        )

    wanted = program(declare, kubernetes_api.kubeconfig())
    preview = stack.preview(wanted)
    assert preview.properties["widget"]["spec"] == {"size": 1}
    assert "uid" not in preview.properties["widget"]["metadata"], "no dry run is possible yet"
    stack.up(wanted)
    assert stack.live("widget")["metadata"]["uid"]


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({"data": {"a": "2"}}, "data.a"),
        ({"data": {"a": "1"}, "binary_data": {"b": "Mg=="}}, "binaryData"),
    ],
    ids=["data", "binaryData"],
)
def test_a_change_in_a_config_map_replaces_it(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str, arguments: dict[str, Any], path: str
) -> None:
    kubeconfig = kubernetes_api.kubeconfig()
    stack.up(program(_config_map(namespace, {"a": "1"}), kubeconfig))
    before = stack.live("settings")["metadata"]["uid"]
    run = stack.up(program(_config_map(namespace, **arguments), kubeconfig))
    assert run.operations["settings"] == _REPLACED_IN_PLACE
    assert run.differences["settings"][path].endswith("-replace")
    assert stack.live("settings")["metadata"]["uid"] != before


def test_an_immutable_config_map_is_replaced_whatever_is_allowed(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    kubeconfig = kubernetes_api.kubeconfig()
    mutable = {"enable_config_map_mutable": True}
    stack.up(program(_config_map(namespace, {"a": "1"}, immutable=True), kubeconfig, **mutable))
    run = stack.up(program(_config_map(namespace, {"a": "2"}, immutable=True), kubeconfig, **mutable))
    assert run.operations["settings"] == _REPLACED_IN_PLACE


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


def test_what_the_program_calls_secret_stays_secret_in_any_kind(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    def declare(options: pulumi.ResourceOptions) -> None:
        data = {"open": "open-value", "hidden": pulumi.Output.secret("hidden-value")}
        made = ConfigMap("settings", metadata={"namespace": namespace}, data=data, opts=options)
        pulumi.export("data", made.data)

    run = stack.up(program(declare, kubernetes_api.kubeconfig()))
    state = json.dumps(stack.state("settings"))
    assert "open-value" in state
    assert "hidden-value" not in state
    assert run.outputs["data"] == {"open": "open-value", "hidden": "hidden-value"}


def test_another_name_or_namespace_is_another_object(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    kubeconfig = kubernetes_api.kubeconfig()
    elsewhere = kubernetes_api.new_namespace()
    stack.up(program(_config_map(namespace, {"a": "1"}), kubeconfig))
    moved = stack.preview(program(_config_map(elsewhere, {"a": "1"}), kubeconfig))
    assert moved.differences["settings"] == {"metadata.namespace": "update-replace"}
    assert moved.operations["settings"] == _REPLACED_SIDE_BY_SIDE
    renamed = stack.up(program(_config_map(namespace, {"a": "1"}, name="renamed"), kubeconfig))
    assert renamed.differences["settings"] == {"metadata.name": "update-replace"}
    assert renamed.operations["settings"] == _REPLACED_SIDE_BY_SIDE
    assert kubernetes_api.get(_path(namespace)) is None
    assert kubernetes_api.get(_path(namespace, "renamed")) is not None


def test_fields_that_cannot_change_replace_their_object(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    def declare(variant: str) -> Declare:
        def resources(options: pulumi.ResourceOptions) -> None:
            ClusterRoleBinding(
                "binding",
                metadata={"name": namespace},
                role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": variant},
                opts=options,
            )
            labels = {"app": variant}
            containers = [{"name": "main", "image": "image:1"}]
            DaemonSet(
                "daemons",
                metadata={"name": "daemons", "namespace": namespace},
                spec={
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
                },
                opts=options,
            )

        return resources

    stack.up(program(declare("first"), kubernetes_api.kubeconfig()))
    run = stack.up(program(declare("second"), kubernetes_api.kubeconfig()))
    assert run.operations["binding"] == run.operations["daemons"] == _REPLACED_IN_PLACE
    assert run.differences["binding"] == {"roleRef.name": "update-replace"}
    assert run.differences["daemons"] == {
        "spec.selector.matchLabels.app": "update-replace",
        "spec.template.metadata.labels.app": "update",
    }


def test_drift_shows_only_after_a_refresh_and_is_repaired(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    wanted = program(_config_map(namespace, {"a": "1"}), kubernetes_api.kubeconfig(), enable_config_map_mutable=True)
    stack.up(wanted)
    kubernetes_api.merge(_path(namespace), {"data": {"a": "drift", "more": "x"}}, manager="kubectl-edit")
    assert stack.preview(wanted).operations["settings"] == ["same"]
    refreshed = stack.refresh()
    assert refreshed.properties["settings"]["data"] == {"a": "drift", "more": "x"}
    drifted = stack.preview(wanted)
    assert drifted.operations["settings"] == ["update"]
    assert drifted.differences["settings"] == {"data.a": "update"}, "what only the cluster has is not drift"


def test_a_refresh_forgets_an_object_that_is_gone(kubernetes_api: KubernetesApi, stack: Stack, namespace: str) -> None:
    wanted = program(_config_map(namespace, {"a": "1"}), kubernetes_api.kubeconfig())
    stack.up(wanted)
    kubernetes_api.request("DELETE", _path(namespace))
    stack.refresh()
    assert stack.state("settings") is None
    assert stack.up(wanted).operations["settings"] == ["create"]


def test_ignored_changes_are_no_difference(kubernetes_api: KubernetesApi, stack: Stack, namespace: str) -> None:
    def declare(value: str) -> Declare:
        def resources(options: pulumi.ResourceOptions) -> None:
            ignoring = pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(ignore_changes=["data.a"]))
            _config_map(namespace, {"a": value})(ignoring)

        return resources

    stack.up(program(declare("1"), kubernetes_api.kubeconfig()))
    assert stack.preview(program(declare("2"), kubernetes_api.kubeconfig())).operations["settings"] == ["same"]


def test_get_reads_an_object_without_owning_it_also_in_a_preview(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    kubernetes_api.create(path, {"metadata": {"name": "theirs"}, "data": {"a": "1"}})

    def declare(options: pulumi.ResourceOptions) -> None:
        read = ConfigMap.get("theirs", f"{namespace}/theirs", opts=options)
        ConfigMap("ours", metadata={"namespace": namespace}, data=read.data, opts=options)

    wanted = program(declare, kubernetes_api.kubeconfig())
    preview = stack.preview(wanted)
    assert preview.operations["theirs"] == ["read"]
    assert preview.properties["ours"]["data"] == {"a": "1"}
    stack.up(wanted)
    assert stack.live("ours")["data"] == {"a": "1"}
    stack.destroy()
    assert kubernetes_api.get(f"{path}/theirs") is not None


def test_get_of_an_absent_object_fails(kubernetes_api: KubernetesApi, stack: Stack, namespace: str) -> None:
    def declare(options: pulumi.ResourceOptions) -> None:
        ConfigMap.get("absent", f"{namespace}/absent", opts=options)

    with pytest.raises(automation.CommandError, match="does not exist"):
        stack.preview(program(declare, kubernetes_api.kubeconfig()))


def test_import_adopts_an_object_as_it_is(kubernetes_api: KubernetesApi, stack: Stack, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    made = kubernetes_api.create(path, {"metadata": {"name": "settings"}, "data": {"a": "1"}})

    def declare(options: pulumi.ResourceOptions) -> None:
        adopting = pulumi.ResourceOptions(import_=f"{namespace}/settings")
        _config_map(namespace, {"a": "1"})(pulumi.ResourceOptions.merge(options, adopting))

    assert stack.up(program(declare, kubernetes_api.kubeconfig())).operations["settings"] == ["import"]
    assert stack.live("settings")["metadata"]["uid"] == made["metadata"]["uid"]
    later = stack.preview(program(_config_map(namespace, {"a": "1"}), kubernetes_api.kubeconfig()))
    assert later.operations["settings"] == ["same"]


def test_a_delete_is_a_foreground_one_and_waits_until_the_object_is_gone(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    def declare(options: pulumi.ResourceOptions) -> None:
        impatient = pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(delete="2s"))
        _config_map(namespace, {"a": "1"})(pulumi.ResourceOptions.merge(options, impatient))

    stack.up(program(declare, kubernetes_api.kubeconfig()))
    kubernetes_api.merge(_path(namespace), {"metadata": {"finalizers": ["example.com/hold"]}})
    with pytest.raises(automation.CommandError, match=r"(?i)timed out"):
        stack.destroy()
    held = kubernetes_api.get(_path(namespace))
    assert held is not None
    assert "foregroundDeletion" in held["metadata"]["finalizers"] or held["metadata"]["deletionTimestamp"]
    assert stack.state("settings") is not None
    kubernetes_api.merge(_path(namespace), {"metadata": {"finalizers": None}})
    stack.destroy()
    assert kubernetes_api.get(_path(namespace)) is None


def test_deleting_what_is_gone_already_succeeds(kubernetes_api: KubernetesApi, stack: Stack, namespace: str) -> None:
    stack.up(program(_config_map(namespace, {"a": "1"}), kubernetes_api.kubeconfig()))
    kubernetes_api.request("DELETE", _path(namespace))
    stack.destroy()
    assert stack.state("settings") is None


def _deployment(namespace: str, annotations: dict[str, str]) -> Declare:
    def declare(options: pulumi.ResourceOptions) -> None:
        impatient = pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="2s", update="2s"))
        labels = {"app": "web"}
        Deployment(
            "web",
            metadata={"name": "web", "namespace": namespace, "annotations": annotations},
            spec={
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "web", "image": "web:1"}]},
                },
            },
            opts=pulumi.ResourceOptions.merge(options, impatient),
        )

    return declare


def test_a_rollout_is_waited_for_and_recorded_when_it_does_not_come_about(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    with pytest.raises(automation.CommandError, match=r"(?i)pods"):
        stack.up(program(_deployment(namespace, {}), kubernetes_api.kubeconfig()))
    assert stack.live("web")["metadata"]["uid"]
    stack.up(program(_deployment(namespace, {"pulumi.com/skipAwait": "true"}), kubernetes_api.kubeconfig()))
    stack.destroy()
