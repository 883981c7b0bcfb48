"""Field managers, conflicts and Patch resources of the lab's Kubernetes provider, on a real API server."""

from __future__ import annotations

import re
from typing import Any

import pulumi
import pytest
from pulumi import automation
from pulumi_kubernetes.core.v1 import ConfigMap, ConfigMapPatch

from tests.engine.kubernetes_api import KubernetesApi
from tests.engine.kubernetes_stack import Declare, Stack, program

pytest_plugins = ("tests.engine.kubernetes_fixtures",)

_CONFLICT = "Server-Side Apply field conflict detected"


def _managers(live: dict[str, Any]) -> dict[str, str]:
    return {entry["manager"]: entry["operation"] for entry in live["metadata"]["managedFields"]}


def _collection(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def _kubeadm_config(api: KubernetesApi, namespace: str) -> None:
    """A ConfigMap as kubeadm leaves it behind: its keys are owned by a client-side write."""
    manifest = {
        "metadata": {"name": "kubeadm-config"},
        "data": {"ClusterConfiguration": "theirs", "Other": "theirs too"},
    }
    api.create(_collection(namespace), manifest, manager="kubeadm")


def _data(api: KubernetesApi, namespace: str, name: str = "kubeadm-config") -> dict[str, str]:
    live = api.get(f"{_collection(namespace)}/{name}")
    assert live is not None
    data: dict[str, str] = live.get("data", {})
    return data


def _config_map(namespace: str, data: dict[str, str], annotations: dict[str, str] | None = None) -> Declare:
    metadata: dict[str, Any] = {"namespace": namespace, "name": "settings"}
    if annotations is not None:
        metadata["annotations"] = annotations

    def declare(options: pulumi.ResourceOptions) -> None:
        ConfigMap("settings", metadata=metadata, data=data, opts=options)

    return declare


def _patch(namespace: str, data: dict[str, str], annotations: dict[str, str] | None = None) -> Declare:
    metadata: dict[str, Any] = {"namespace": namespace, "name": "kubeadm-config"}
    if annotations is not None:
        metadata["annotations"] = annotations

    def declare(options: pulumi.ResourceOptions) -> None:
        ConfigMapPatch("patch", metadata=metadata, data=data, opts=options)

    return declare


_FORCE = {"pulumi.com/patchForce": "true"}


def test_a_create_is_a_client_side_write_that_the_first_update_takes_over(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    kubeconfig, mutable = kubernetes_api.kubeconfig(), {"enable_config_map_mutable": True}
    stack.up(program(_config_map(namespace, {"a": "1", "b": "1"}), kubeconfig, **mutable))
    created = stack.live("settings")
    assert _managers(created) == {"pulumi-kubernetes": "Update"}
    manager = created["__fieldManager"]
    assert re.fullmatch(r"pulumi-kubernetes-[0-9a-f]{8}", manager)
    stack.up(program(_config_map(namespace, {"a": "2"}), kubeconfig, **mutable))
    updated = stack.live("settings")
    assert _managers(updated) == {manager: "Apply"}
    assert updated["__fieldManager"] == manager
    assert updated["data"] == {"a": "2"}


def test_the_program_may_choose_the_field_manager_and_leave_it_again(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    kubeconfig, mutable = kubernetes_api.kubeconfig(), {"enable_config_map_mutable": True}
    chosen = {"pulumi.com/patchFieldManager": "audit"}
    stack.up(program(_config_map(namespace, {"a": "1"}, chosen), kubeconfig, **mutable))
    assert stack.live("settings")["__fieldManager"] == "audit"
    stack.up(program(_config_map(namespace, {"a": "2"}, chosen), kubeconfig, **mutable))
    assert _managers(stack.live("settings")) == {"audit": "Apply"}
    # The annotation itself belongs to the old manager, hence the force.
    changed = {"pulumi.com/patchFieldManager": "other", **_FORCE}
    stack.up(program(_config_map(namespace, {"a": "2"}, changed), kubeconfig, **mutable))
    stack.refresh()
    assert _managers(stack.live("settings")) == {"other": "Apply"}


def test_a_field_of_another_manager_is_a_conflict_until_it_is_forced(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    kubeconfig, mutable = kubernetes_api.kubeconfig(), {"enable_config_map_mutable": True}
    path = f"{_collection(namespace)}/settings"
    stack.up(program(_config_map(namespace, {"a": "1"}), kubeconfig, **mutable))
    stack.up(program(_config_map(namespace, {"a": "2"}), kubeconfig, **mutable))
    kubernetes_api.merge(path, {"data": {"a": "theirs"}}, manager="controller")

    changed = program(_config_map(namespace, {"a": "3"}), kubeconfig, **mutable)
    with pytest.raises(automation.CommandError, match=_CONFLICT):
        stack.preview(changed)
    with pytest.raises(automation.CommandError, match=_CONFLICT):
        stack.up(changed)
    assert _data(kubernetes_api, namespace, "settings") == {"a": "theirs"}
    stack.up(program(_config_map(namespace, {"a": "3"}), kubeconfig, enable_patch_force=True, **mutable))
    assert _data(kubernetes_api, namespace, "settings") == {"a": "3"}

    kubernetes_api.merge(path, {"data": {"a": "theirs"}}, manager="controller")
    stack.up(program(_config_map(namespace, {"a": "4"}, _FORCE), kubeconfig, **mutable))
    assert _data(kubernetes_api, namespace, "settings") == {"a": "4"}


def test_an_update_that_is_refused_is_recorded_and_tried_again(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    kubeconfig, mutable = kubernetes_api.kubeconfig(), {"enable_config_map_mutable": True}
    path = f"{_collection(namespace)}/settings"
    stack.up(program(_config_map(namespace, {"a": "1"}), kubeconfig, **mutable))
    kubernetes_api.merge(path, {"data": {"a": "theirs"}}, manager="controller")
    changed = program(_config_map(namespace, {"a": "2"}), kubeconfig, **mutable)
    with pytest.raises(automation.CommandError, match=_CONFLICT):
        stack.up(changed)
    recorded = stack.state("settings")
    assert recorded is not None
    assert _CONFLICT in recorded["initErrors"][0]
    assert recorded["outputs"]["__inputs"]["data"] == {"a": "2"}
    assert recorded["outputs"]["data"] == {"a": "theirs"}
    kubernetes_api.merge(path, {"data": {"a": None}}, manager="controller")
    assert stack.up(changed).operations["settings"] == ["update"]
    assert _data(kubernetes_api, namespace, "settings") == {"a": "2"}


def test_hand_edits_with_kubectl_are_taken_over_without_a_conflict(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    kubeconfig, mutable = kubernetes_api.kubeconfig(), {"enable_config_map_mutable": True}
    stack.up(program(_config_map(namespace, {"a": "1"}), kubeconfig, **mutable))
    kubernetes_api.merge(f"{_collection(namespace)}/settings", {"data": {"a": "x"}}, manager="kubectl-edit")
    stack.refresh()
    stack.up(program(_config_map(namespace, {"a": "1"}), kubeconfig, **mutable))
    assert _data(kubernetes_api, namespace, "settings") == {"a": "1"}


def test_a_patch_needs_a_name_and_server_side_apply(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    def nameless(options: pulumi.ResourceOptions) -> None:
        ConfigMapPatch("patch", metadata={"namespace": namespace}, data={"a": "1"}, opts=options)

    kubeconfig = kubernetes_api.kubeconfig()
    with pytest.raises(automation.CommandError, match=r"require the `\.metadata\.name` field"):
        stack.preview(program(nameless, kubeconfig))
    client_side = program(_patch(namespace, {"a": "1"}), kubeconfig, enable_server_side_apply=False)
    with pytest.raises(automation.CommandError, match="enableServerSideApply"):
        stack.preview(client_side)


def test_the_preview_of_a_new_patch_asks_nobody_and_so_hides_the_conflict(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    _kubeadm_config(kubernetes_api, namespace)
    wanted = program(_patch(namespace, {"ClusterConfiguration": "ours"}), kubernetes_api.kubeconfig())
    preview = stack.preview(wanted)
    assert preview.operations["patch"] == ["create"]
    assert preview.properties["patch"].keys() == {"apiVersion", "kind", "metadata", "data"}
    with pytest.raises(automation.CommandError, match=_CONFLICT):
        stack.up(wanted)
    assert _data(kubernetes_api, namespace)["ClusterConfiguration"] == "theirs"


def test_a_forced_patch_takes_a_key_and_changes_it_in_place(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    _kubeadm_config(kubernetes_api, namespace)
    kubeconfig = kubernetes_api.kubeconfig()
    stack.up(program(_patch(namespace, {"ClusterConfiguration": "ours"}, _FORCE), kubeconfig))
    assert _data(kubernetes_api, namespace) == {"ClusterConfiguration": "ours", "Other": "theirs too"}
    run = stack.up(program(_patch(namespace, {"ClusterConfiguration": "newer"}, _FORCE), kubeconfig))
    assert run.operations["patch"] == ["update"]
    assert run.differences["patch"] == {"data.ClusterConfiguration": "update"}
    assert _data(kubernetes_api, namespace)["ClusterConfiguration"] == "newer"


def test_the_preview_of_a_changed_patch_is_a_dry_run_and_shows_the_conflict(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    _kubeadm_config(kubernetes_api, namespace)
    kubeconfig = kubernetes_api.kubeconfig()
    stack.up(program(_patch(namespace, {"Mine": "1"}), kubeconfig))
    with pytest.raises(automation.CommandError, match=_CONFLICT):
        stack.preview(program(_patch(namespace, {"Mine": "1", "Other": "ours"}), kubeconfig))


def test_a_refresh_of_a_patch_sees_drift_of_its_own_keys_alone(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    _kubeadm_config(kubernetes_api, namespace)
    wanted = program(_patch(namespace, {"ClusterConfiguration": "ours"}, _FORCE), kubernetes_api.kubeconfig())
    stack.up(wanted)
    rewritten = {"data": {"ClusterConfiguration": "theirs again", "Other": "changed"}}
    kubernetes_api.merge(f"{_collection(namespace)}/kubeadm-config", rewritten, manager="kubeadm")
    assert stack.preview(wanted).operations["patch"] == ["same"]
    stack.refresh()
    assert stack.preview(wanted).differences["patch"] == {"data.ClusterConfiguration": "update"}


def test_destroying_a_patch_removes_the_keys_that_only_it_owned(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    _kubeadm_config(kubernetes_api, namespace)
    patch = _patch(namespace, {"ClusterConfiguration": "ours", "Mine": "1"}, _FORCE)
    stack.up(program(patch, kubernetes_api.kubeconfig()))
    stack.destroy()
    assert _data(kubernetes_api, namespace) == {"Other": "theirs too"}, "what was there before does not come back"


def test_client_side_mode_labels_its_objects_and_updates_by_a_three_way_merge(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    kubeconfig = kubernetes_api.kubeconfig()
    mode = {"enable_server_side_apply": False, "enable_config_map_mutable": True}
    first = program(_config_map(namespace, {"a": "1", "b": "1"}), kubeconfig, **mode)
    assert "uid" not in stack.preview(first).properties["settings"]["metadata"], "there is no dry run in this mode"
    stack.up(first)
    created = stack.live("settings")
    assert created["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "pulumi"}
    assert created["__fieldManager"] == "pulumi-kubernetes"
    kubernetes_api.merge(f"{_collection(namespace)}/settings", {"data": {"c": "theirs"}})
    stack.up(program(_config_map(namespace, {"a": "2"}), kubeconfig, **mode))
    assert _data(kubernetes_api, namespace, "settings") == {"a": "2", "c": "theirs"}
