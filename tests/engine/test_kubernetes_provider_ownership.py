"""Who owns what in an object that the program keeps in a cluster: the official provider on a real API server."""

from __future__ import annotations

import re
from typing import Any

import pulumi
import pytest
from pulumi import automation
from pulumi_kubernetes.core.v1 import ConfigMap

from tests.engine.kubernetes_api import KubernetesApi
from tests.engine.kubernetes_stack import Declare, Stack, program

pytest_plugins = ("tests.engine.kubernetes_fixtures",)

_CONFLICT = "Server-Side Apply field conflict detected"


def _managers(live: dict[str, Any]) -> dict[str, str]:
    return {entry["manager"]: entry["operation"] for entry in live["metadata"]["managedFields"]}


def _collection(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


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


_FORCE = {"pulumi.com/patchForce": "true"}


def test_each_object_has_a_field_manager_of_its_own_which_owns_it_after_an_update(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    kubeconfig, mutable = kubernetes_api.kubeconfig(), {"enable_config_map_mutable": True}
    stack.up(program(_config_map(namespace, {"a": "1", "b": "1"}), kubeconfig, **mutable))
    created = stack.live("settings")
    manager = created["__fieldManager"]
    assert re.fullmatch(r"pulumi-kubernetes-[0-9a-f]{8}", manager)
    stack.up(program(_config_map(namespace, {"a": "2"}), kubeconfig, **mutable))
    updated = stack.live("settings")
    assert _managers(updated) == {manager: "Apply"}
    assert updated["__fieldManager"] == manager
    assert updated["data"] == {"a": "2"}


def test_a_field_of_another_manager_is_a_conflict_until_an_annotation_forces_it(
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


def test_a_hand_edit_with_kubectl_fails_the_preview_of_its_repair_and_is_taken_over_by_up(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    kubeconfig, mutable = kubernetes_api.kubeconfig(), {"enable_config_map_mutable": True}
    stack.up(program(_config_map(namespace, {"a": "1"}), kubeconfig, **mutable))
    kubernetes_api.merge(f"{_collection(namespace)}/settings", {"data": {"a": "x"}}, manager="kubectl-edit")
    stack.refresh()
    wanted = program(_config_map(namespace, {"a": "1"}), kubeconfig, **mutable)
    with pytest.raises(automation.CommandError, match=_CONFLICT):
        stack.preview(wanted)
    stack.up(wanted)
    assert _data(kubernetes_api, namespace, "settings") == {"a": "1"}


def test_annotations_and_keys_of_others_are_no_difference_and_survive_an_update(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    kubeconfig, mutable = kubernetes_api.kubeconfig(), {"enable_config_map_mutable": True}
    wanted = program(_config_map(namespace, {"a": "1"}), kubeconfig, **mutable)
    stack.up(wanted)
    theirs = {"metadata": {"annotations": {"example.com/seen": "yes"}}, "data": {"theirs": "1"}}
    kubernetes_api.merge(f"{_collection(namespace)}/settings", theirs, manager="controller")
    stack.refresh()
    assert stack.preview(wanted).operations["settings"] == ["same"]
    stack.up(program(_config_map(namespace, {"a": "2"}), kubeconfig, **mutable))
    live = kubernetes_api.get(f"{_collection(namespace)}/settings")
    assert live is not None
    assert live["metadata"]["annotations"]["example.com/seen"] == "yes"
    assert live["data"] == {"a": "2", "theirs": "1"}
