"""What the stack keeps in a cluster, when the kubeconfig changes: the project's provider and a real API server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
from pulumi_kubernetes.core.v1 import ConfigMap

from components.kubernetes_provider import IDENTIFIER_RECORDED, kubernetes_provider
from components.scope import Scope
from tests.engine.engine_stack import EngineStack, Program, Step
from tests.engine.kubernetes_api import KubernetesApi

pytest_plugins = ("tests.engine.kubernetes_fixtures",)

_ELSEWHERE = "https://127.0.0.1:1"


@pytest.fixture
def kubeconfig_path(tmp_path: Path) -> Path:
    """A path in the project's folder."""
    return tmp_path / "project" / "kubeconfig"


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
    return with_the_text(namespace, kubeconfig, cluster=None)


def with_the_text(namespace: str, kubeconfig: str, cluster: str | None = "production") -> Program:
    return program(
        namespace,
        lambda: kubernetes.Provider(
            "cluster",
            kubeconfig=pulumi.Output.secret(kubeconfig),
            cluster_identifier=cluster,
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


def test_a_path_with_the_readers_kubeconfig_in_the_preview_and_the_writers_in_up_shows_no_difference(
    engine_stack: EngineStack, kubernetes_api: KubernetesApi, namespace: str, kubeconfig_path: Path
) -> None:
    path = str(kubeconfig_path)
    wanted = program(namespace, lambda: kubernetes_provider(path, "production", Scope("test"), is_path=True))
    writers, readers = kubernetes_api.kubeconfig(), kubernetes_api.kubeconfig(token=kubernetes_api.nobody)
    kubeconfig_path.write_text(writers)
    applied = engine_stack.up(wanted)
    assert applied.error is None, applied.error
    kubeconfig_path.write_text(readers)
    preview = engine_stack.preview(wanted)
    assert (preview.error, {step.operation for step in preview.steps}) == (None, {"same"})
    state = engine_stack.pulumi("stack", "export", "--show-secrets")
    assert f'"kubeconfig": "{path}"' in state
    assert kubernetes_api.admin not in state


def test_a_path_in_place_of_the_text_replaces_nothing_and_leaves_no_credential_in_the_state(
    engine_stack: EngineStack, kubernetes_api: KubernetesApi, namespace: str, kubeconfig_path: Path
) -> None:
    # Without the hook of ours: the Automation API runs hooks of one update in a process only.
    assert engine_stack.up(with_the_text(namespace, kubernetes_api.kubeconfig())).error is None
    assert kubernetes_api.admin in engine_stack.pulumi("stack", "export", "--show-secrets")
    kubeconfig_path.write_text(kubernetes_api.kubeconfig())
    moved = program(
        namespace, lambda: kubernetes_provider(str(kubeconfig_path), "production", Scope("test"), is_path=True)
    )
    run = engine_stack.up(moved)
    assert run.error is None, run.error
    assert [(step.operation, step.name) for step in run.steps if step.operation != "same"] == [("update", "cluster")]
    assert kubernetes_api.admin not in engine_stack.pulumi("stack", "export", "--show-secrets")
