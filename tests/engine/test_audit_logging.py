"""The component in a Python program, under the real engine: what depends on it, and arguments that are not known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pulumi_command
import pulumi_kubernetes
import pytest
from pulumi_command import remote

from components.audit_logging import AuditLogging
from tests.engine.engine_stack import EngineStack, Program, Step
from tests.engine.fake_node import FakeNode, fake_node
from tests.engine.kubernetes_api import KubernetesApi
from tests.engine.ssh_server import SshServer
from tests.engine.test_command_provider_engine import connection
from tests.unit.plan.nodes import untouched

pytest_plugins = ("tests.engine.kubernetes_fixtures",)

COMMANDS = ("east-cp1-scripts", "east-cp1-policy", "east-cp1-manifest", "east-cluster-configuration")


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    node = fake_node(tmp_path / "node", monkeypatch)
    node.agree(untouched())
    return node


def arguments(server: SshServer, **more: Any) -> dict[str, Any]:
    return {
        "cluster": "test",
        "nodes": [{"name": "cp1", "host": server.host, "port": server.port, "user": "ops", "hostKey": server.host_key}],
        "policy": {"preset": "low-write"},
        "proof": {"enabled": False},
        "sshPrivateKey": pulumi.Output.secret(server.private_key),
        **more,
    }


def declared(server: SshServer, **more: Any) -> Program:
    def declare() -> None:
        audit = AuditLogging("east", arguments(server, **more))
        remote.Command(
            "after",
            connection=connection(server),
            create="echo after",
            opts=pulumi.ResourceOptions(depends_on=[audit]),
        )

    return declare


def unknown() -> pulumi.Output[Any]:
    """The output of a resource that is not there yet."""
    return pulumi.Output.from_input(pulumi.UNKNOWN)


def of_unknown_host(server: SshServer, **more: Any) -> Program:
    """Outputs belong to the run in which they are made."""

    def declare() -> None:
        (node,) = arguments(server)["nodes"]
        declared(server, nodes=[{**node, "host": unknown()}], **more)()

    return declare


def test_what_depends_on_it_comes_after_its_last_resource(engine_stack: EngineStack, server: SshServer) -> None:
    run = engine_stack.up(declared(server))
    assert run.error is None, run.error
    assert [step.name for step in run.steps][-1] == "after"
    commands = server.commands()
    assert commands[-1] == "echo after"
    assert any(" apply-kubeadm-config " in command for command in commands)
    (dependency,) = engine_stack.resources()["after"]["dependencies"]
    assert dependency.endswith("::east-cluster-configuration")


def test_what_depends_on_it_waits_for_dashboards_and_alerts_too(
    engine_stack: EngineStack, server: SshServer, kubernetes_api: KubernetesApi, namespace: str
) -> None:
    more = {
        "dashboards": {"mode": "configmap", "namespace": namespace},
        "alerts": {"loki": "configmap", "prometheus": "configmap", "namespace": namespace},
    }

    def declare() -> None:
        declared(server, kubeconfig=pulumi.Output.secret(kubernetes_api.kubeconfig()), **more)()

    run = engine_stack.up(declare)
    assert run.error is None, run.error
    assert [step.name for step in run.steps][-1] == "after"
    found = {urn.rsplit("::", 1)[1] for urn in engine_stack.resources()["after"]["dependencies"]}
    assert found == {"east-cluster-configuration", "east-kubernetes-audit-pipeline", "east-prometheus-rules"}


def test_the_providers_that_are_given_are_used_and_no_other_is_started(
    engine_stack: EngineStack, server: SshServer, kubernetes_api: KubernetesApi, namespace: str
) -> None:
    def declare() -> None:
        given: dict[str, pulumi.ProviderResource] = {
            "command": pulumi_command.Provider("our-command"),
            "kubernetes": pulumi_kubernetes.Provider("our-cluster", kubeconfig=kubernetes_api.kubeconfig()),
        }
        wanted = arguments(server, dashboards={"mode": "configmap", "namespace": namespace})
        AuditLogging("east", wanted, pulumi.ResourceOptions(providers=given))

    run = engine_stack.up(declare)
    assert run.error is None, run.error
    used = {resource["provider"].split("::")[-2] for resource in engine_stack.resources().values()}
    assert used == {"our-command", "our-cluster"}
    assert not [step.name for step in run.steps if step.name.startswith("default") or step.name == "east-cluster"]


def test_secret_arguments_stay_secret(engine_stack: EngineStack, server: SshServer) -> None:
    rule = {"level": "Metadata", "namespaces": ["of-a-secret-project"]}
    policy = {"inline": {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [rule, {"level": "None"}]}}

    def declare() -> None:
        hidden = arguments(server)
        secret = {key: pulumi.Output.secret(value) for key, value in {**hidden, "policy": policy}.items()}
        audit = AuditLogging("east", secret)
        for name in ("nodes", "policy"):
            pulumi.export(name, audit.outputs[name])

    preview, run = engine_stack.preview(declare), engine_stack.up(declare)
    assert run.error is None, run.error
    shown = [preview.text, run.text, *(each.text for each in preview.diagnostics if each.severity != "debug")]
    assert any("cp1: the manifest lacks --audit-policy-file" in text for text in shown)
    for word in ("of-a-secret-project", server.host_key.split()[1]):
        assert word not in engine_stack.state()
        assert not any(word in text for text in shown)
    assert f'"{server.host}"' not in engine_stack.state()
    assert any("of-a-secret-project" in each.stdin for each in server.executions)


def test_a_preview_that_does_not_know_an_argument_shows_every_command_as_it_is(
    engine_stack: EngineStack, server: SshServer
) -> None:
    assert engine_stack.up(declared(server)).error is None
    del server.executions[:]
    run = engine_stack.preview(of_unknown_host(server))
    assert run.error is None, run.error
    assert {name: run.of(name) for name in COMMANDS} == {name: [Step("same", name, {})] for name in COMMANDS}
    assert not [step for step in run.steps if step.operation == "delete"]
    warning = "not previewed: nodes is not known yet; every resource is shown as it is"
    assert run.messages("warning") == [warning]
    assert server.commands() == []


def test_a_preview_that_does_not_know_the_kubeconfig_deletes_nothing_in_the_cluster(
    engine_stack: EngineStack, server: SshServer, kubernetes_api: KubernetesApi, namespace: str
) -> None:
    more: dict[str, Any] = {
        "dashboards": {"mode": "configmap", "namespace": namespace},
        "alerts": {"loki": "configmap", "namespace": namespace},
        "alloy": {"mode": "snippet", "namespace": f"{namespace}-alloy"},
    }

    def known() -> None:
        loki = pulumi.Output.secret({"url": "https://loki.example.com"})
        declared(server, kubeconfig=pulumi.Output.secret(kubernetes_api.kubeconfig()), loki=loki, **more)()

    def not_known() -> None:
        loki = pulumi.Output.secret({"url": unknown()})
        declared(server, kubeconfig=pulumi.Output.secret(unknown()), loki=loki, **more)()

    assert engine_stack.up(known).error is None
    run = engine_stack.preview(not_known)
    assert run.error is None, run.error
    custom = {name: [step.operation for step in run.of(name)] for name in engine_stack.resources()}
    assert custom == {name: ["same"] for name in custom}
    assert "east-alloy-configuration" in custom
    assert "delete" not in {step.operation for step in run.steps}


def test_an_update_that_does_not_know_an_argument_fails_before_anything(
    engine_stack: EngineStack, server: SshServer
) -> None:
    run = engine_stack.up(of_unknown_host(server))
    assert run.error is not None
    assert "nodes: not known, although this is no preview; nothing was changed." in run.error
    assert "Traceback" not in run.error
    assert server.commands() == []
