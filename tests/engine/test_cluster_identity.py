"""What the stack keeps in a cluster, when the kubeconfig changes: the project's provider and a real API server."""

from __future__ import annotations

from collections.abc import Callable

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core.v1 import ConfigMap

from components.kubernetes_provider import IDENTIFIER_RECORDED, kubernetes_provider
from components.scope import Scope
from tests.engine.engine_stack import EngineStack, Program, Step
from tests.engine.kubernetes_api import KubernetesApi

pytest_plugins = ("tests.engine.kubernetes_fixtures",)

_ELSEWHERE = "https://127.0.0.1:1"


def program(namespace: str, provider: Callable[[], pulumi.ProviderResource]) -> Program:
    def declare() -> None:
        ConfigMap(
            "settings",
            metadata={"namespace": namespace, "name": "settings"},
            data={"a": "1"},
            opts=pulumi.ResourceOptions(provider=provider()),
        )

    return declare


def ours(namespace: str, kubeconfig: str, cluster: str = "production") -> Program:
    return program(namespace, lambda: kubernetes_provider(kubeconfig, cluster, Scope("test")))


def without_identifier(namespace: str, kubeconfig: str) -> Program:
    """As stacks have it that were made before the provider had an identifier."""
    return program(
        namespace,
        lambda: kubernetes.Provider(
            "cluster",
            kubeconfig=pulumi.Output.secret(kubeconfig),
            enable_config_map_mutable=True,
            enable_secret_mutable=True,
        ),
    )


def test_another_address_of_the_cluster_replaces_nothing(
    engine_stack: EngineStack, kubernetes_api: KubernetesApi, namespace: str
) -> None:
    assert engine_stack.up(ours(namespace, kubernetes_api.kubeconfig())).error is None
    run = engine_stack.preview(ours(namespace, kubernetes_api.kubeconfig(url=_ELSEWHERE)))
    assert run.error is None, run.error
    assert [step.operation for step in run.of("cluster")] == ["update"]
    assert run.of("settings") == [Step("same", "settings", {})]


def test_without_an_identifier_another_address_replaces_everything(
    engine_stack: EngineStack, kubernetes_api: KubernetesApi, namespace: str
) -> None:
    assert engine_stack.up(without_identifier(namespace, kubernetes_api.kubeconfig())).error is None
    run = engine_stack.preview(without_identifier(namespace, kubernetes_api.kubeconfig(url=_ELSEWHERE)))
    assert "replace" in {step.operation for step in run.of("settings")}


def test_a_stack_from_before_the_identifier_gets_it_by_one_labelled_update(
    engine_stack: EngineStack, kubernetes_api: KubernetesApi, namespace: str
) -> None:
    kubeconfig = kubernetes_api.kubeconfig()
    assert engine_stack.up(without_identifier(namespace, kubeconfig)).error is None
    preview = engine_stack.preview(ours(namespace, kubeconfig))
    assert [(step.operation, step.name) for step in preview.steps if step.operation != "same"] == [
        ("update", "cluster")
    ]
    assert IDENTIFIER_RECORDED in preview.messages("info")
    assert engine_stack.up(ours(namespace, kubeconfig)).error is None
    again = engine_stack.preview(ours(namespace, kubeconfig))
    assert {step.operation for step in again.steps} == {"same"}


def test_another_name_of_the_cluster_is_another_cluster(
    engine_stack: EngineStack, kubernetes_api: KubernetesApi, namespace: str
) -> None:
    assert engine_stack.up(ours(namespace, kubernetes_api.kubeconfig())).error is None
    run = engine_stack.preview(ours(namespace, kubernetes_api.kubeconfig(), "staging"))
    assert "replace" in {step.operation for step in run.of("settings")}
