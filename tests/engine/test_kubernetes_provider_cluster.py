"""What the program relies on when the kubeconfig changes, or the cluster or a permission is not there."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest
from pulumi import automation
from pulumi_kubernetes.core.v1 import ConfigMap

from tests.engine.kubernetes_api import KubernetesApi
from tests.engine.kubernetes_stack import Declare, Stack, program

pytest_plugins = ("tests.engine.kubernetes_fixtures",)

# Port 1 on loopback: refused at once, as nothing listens there.
_NOWHERE = "https://127.0.0.1:1"


def _config_map(namespace: str, data: dict[str, Any]) -> Declare:
    def declare(options: pulumi.ResourceOptions) -> None:
        metadata = {"namespace": namespace, "name": "settings"}
        ConfigMap("settings", metadata=metadata, data=data, opts=options)

    return declare


def _live(api: KubernetesApi, namespace: str) -> dict[str, Any] | None:
    return api.get(f"/api/v1/namespaces/{namespace}/configmaps/settings")


def test_a_kubeconfig_is_in_clear_in_the_state_unless_it_is_passed_as_a_secret(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    stack.up(program(_config_map(namespace, {"a": "1"}), kubernetes_api.kubeconfig()))
    assert kubernetes_api.admin in json.dumps(stack.state("cluster"))

    def secretly() -> None:
        program(_config_map(namespace, {"a": "1"}), pulumi.Output.secret(kubernetes_api.kubeconfig()))()

    assert stack.up(secretly).operations["settings"] == ["same"]
    assert kubernetes_api.admin not in json.dumps(stack.state("cluster"))


def test_another_cluster_replaces_all_resources_unless_an_identifier_says_it_is_the_same(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    wanted = _config_map(namespace, {"a": "1"})
    moved = kubernetes_api.kubeconfig(url=kubernetes_api.url.replace("127.0.0.1", "localhost"))
    stack.up(program(wanted, kubernetes_api.kubeconfig(), cluster_identifier="lab"))
    same = stack.preview(program(wanted, moved, cluster_identifier="lab"))
    assert same.operations["cluster"] == ["update"]
    assert same.operations["settings"] == ["same"]
    other = stack.preview(program(wanted, moved, cluster_identifier="prod"))
    assert "replace" in other.operations["cluster"]
    assert "replace" in other.operations["settings"]
    stack.up(program(wanted, kubernetes_api.kubeconfig()))
    unnamed = stack.preview(program(wanted, moved))
    assert "replace" in unnamed.operations["cluster"]
    assert "replace" in unnamed.operations["settings"]


def test_the_preview_of_an_update_is_a_dry_run_and_writes_nothing(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    mutable = {"enable_config_map_mutable": True}
    kubeconfig = kubernetes_api.kubeconfig()
    stack.up(program(_config_map(namespace, {"a": "1"}), kubeconfig, **mutable))
    before = _live(kubernetes_api, namespace)
    preview = stack.preview(program(_config_map(namespace, {"a": "2"}), kubeconfig, **mutable))
    assert preview.properties["settings"]["data"] == {"a": "2"}
    assert preview.properties["settings"]["metadata"]["uid"] == stack.live("settings")["metadata"]["uid"]
    assert _live(kubernetes_api, namespace) == before


def test_a_preview_without_permission_to_write_shows_the_inputs(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    powerless = program(_config_map(namespace, {"a": "1"}), kubernetes_api.kubeconfig(token=kubernetes_api.nobody))
    preview = stack.preview(powerless)
    assert preview.operations["settings"] == ["create"]
    assert "uid" not in preview.properties["settings"]["metadata"]
    with pytest.raises(automation.CommandError, match="is forbidden"):
        stack.up(powerless)


def test_without_a_cluster_previews_work_and_all_else_says_why_not(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    dead = kubernetes_api.kubeconfig(url=_NOWHERE)
    identified = {"cluster_identifier": "lab", "enable_config_map_mutable": True}
    fresh = stack.preview(program(_config_map(namespace, {"a": "1"}), dead, **identified))
    assert fresh.properties["settings"]["data"] == {"a": "1"}
    with pytest.raises(automation.CommandError, match="configured Kubernetes cluster is unreachable"):
        stack.up(program(_config_map(namespace, {"a": "1"}), dead, **identified))

    stack.up(program(_config_map(namespace, {"a": "1"}), kubernetes_api.kubeconfig(), **identified))
    changed = program(_config_map(namespace, {"a": "2"}), dead, **identified)
    preview = stack.preview(changed)
    assert preview.operations["settings"] == ["update"]
    assert preview.properties["settings"]["data"] == {"a": "2"}
    with pytest.raises(automation.CommandError, match="configured Kubernetes cluster is unreachable"):
        stack.up(changed)
    # The provider was updated before its resource failed: from here the state holds the dead kubeconfig.
    for operation in (stack.refresh, stack.destroy):
        with pytest.raises(automation.CommandError, match="PULUMI_K8S_DELETE_UNREACHABLE"):
            operation()
    assert stack.state("settings") is not None


def test_a_kubeconfig_that_cannot_be_read_counts_as_unreachable_and_can_be_mended(
    kubernetes_api: KubernetesApi, stack: Stack, namespace: str
) -> None:
    wanted = _config_map(namespace, {"a": "1"})
    broken = program(wanted, "not a kubeconfig")
    assert stack.preview(broken).properties["settings"]["data"] == {"a": "1"}
    with pytest.raises(automation.CommandError, match="failed to parse kubeconfig data"):
        stack.up(broken)
    mended = stack.up(program(wanted, kubernetes_api.kubeconfig()))
    assert mended.operations["cluster"] == ["update"], "the engine takes an error of DiffConfig for no replacement"
    assert mended.operations["settings"] == ["create"]
