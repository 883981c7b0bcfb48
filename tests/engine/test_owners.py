"""Nodes whose owner has another name from now on: what reaches them, and what the engine shows (setting ``takeOver``).

The real engine renames stacks, projects and components, and moves resources between stacks. What the node does with the
commands that reach it is in tests/unit/node/test_identity.py.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pulumi as sdk
import pytest
import yaml

from components.audit_logging import AuditLogging
from lab.paths import REPOSITORY
from tests.engine.engine_stack import EngineStack, Program, Run
from tests.engine.fake_node import FakeNode
from tests.engine.kubernetes_api import KubernetesApi
from tests.engine.program_stack import OWNER, STACK, configure, deletions
from tests.engine.program_stack import Run as Command
from tests.engine.ssh_server import SshServer
from tests.engine.test_stack_files import pulumi
from tests.unit.plan.nodes import applied, untouched

pytest_plugins = ("tests.engine.kubernetes_fixtures",)

COMMANDS = ("cp1-scripts", "cp1-policy", "cp1-manifest", "cluster-configuration")
COMPONENT_STACK = "organization/engine-test/test"
COMPONENT = "engine-test/test/east"


def owned_by(owner: str, former: str | None = None) -> Any:
    return dataclasses.replace(
        applied(), owner=owner, entry="cp1", node_name="cp1", former_owner=former, edits_back=True
    )


def record_only(former: str, owner: str) -> str:
    return f"cp1: record only: this node was {former}'s and is {owner}'s from now on"


def applications(node: FakeNode) -> list[str]:
    """The commands that change a node, of those that it was told."""
    return [line.split()[0] for line in node.told() if line.startswith("apply-")]


@pytest.fixture
def deployed(node: FakeNode, run: Command) -> FakeNode:
    """A node on which this project's own program has turned audit logging on."""
    node.agree(untouched())
    run("up", "--yes", "--skip-preview")
    node.agree(owned_by(OWNER))
    (node.root / "told").unlink()
    return node


@pytest.fixture
def engine_stack(tmp_path: Path, engine_environment: dict[str, str]) -> EngineStack:
    """The stack of another program."""
    folder = tmp_path / "other-program"
    folder.mkdir()
    return EngineStack(folder, engine_environment)


@dataclasses.dataclass
class Renamed:
    """The stack under another name, with its stack file."""

    stack: str
    file: Path
    folder: Path
    environment: dict[str, str]

    def run(self, *words: str, succeeds: bool = True) -> str:
        file = () if words[0] in ("state", "stack") else ("--config-file", str(self.file))
        result = pulumi(self.folder, self.environment, *words, "--stack", self.stack, *file)
        assert (result.returncode == 0) is succeeds, result.stdout
        return result.stdout


@pytest.fixture
def renamed(deployed: FakeNode, stack_file: Path, engine_environment: dict[str, str]) -> Renamed:  # noqa: ARG001
    """The same stack after ``pulumi stack rename``."""
    result = pulumi(stack_file.parent, engine_environment, "stack", "rename", "renamed", "--stack", STACK)
    assert result.returncode == 0, result.stdout
    file = stack_file.with_name("Pulumi.renamed.yaml")
    return Renamed("organization/kubernetes-audit/renamed", file, REPOSITORY, engine_environment)


def hand_over(stack: Renamed, node: FakeNode, former: str, owner: str) -> None:
    """The whole way: the refusal, the preview, the update, and the setting taken out again."""
    refused = stack.run("preview", succeeds=False)
    assert f"its audit logging belongs to the stack {former!r}, and this is {owner!r}" in refused
    assert f"set takeOver: {former} to take the node over" in refused
    configure(stack.file, takeOver=former)
    printed = stack.run("preview", "--diff")
    assert printed.count(record_only(former, owner)) == 3
    assert f"test: record only: kubeadm-config was {former}'s and is {owner}'s from now on" in printed
    resources = printed.rpartition("Resources:")[2]
    assert "~ 4 to update" in resources
    assert not re.search(r"create|delete|replace", resources)
    assert "API:     no API server restarts" in printed
    assert "restarts the same nodes" not in printed
    stack.run("up", "--yes", "--skip-preview")
    assert deletions(node) == []
    assert applications(node) == ["apply-manifest", "apply-kubeadm-config"]
    node.agree(owned_by(owner, former))
    stack.run("preview", "--expect-no-changes")
    document = yaml.safe_load(stack.file.read_text())
    del document["config"]["kubernetes-audit:takeOver"]
    stack.file.write_text(yaml.safe_dump(document))
    stack.run("preview", "--expect-no-changes")


def test_a_renamed_stack_takes_its_nodes_over(renamed: Renamed, deployed: FakeNode, server: SshServer) -> None:
    hand_over(renamed, deployed, OWNER, "kubernetes-audit/renamed")
    told = [command for command in server.commands() if " apply-manifest " in command]
    assert f"former-owner={OWNER}" in told[-1]
    assert "owner=kubernetes-audit/renamed" in told[-1]
    del server.executions[:]
    renamed.run("destroy", "--yes", "--skip-preview")
    removals = [command for command in server.commands() if re.search(r" (restore-|remove-|uninstall)", command)]
    assert len(removals) == 4
    assert all("owner=kubernetes-audit/renamed" in command for command in removals)


def test_a_renamed_stack_is_switched_off(renamed: Renamed, deployed: FakeNode) -> None:
    configure(renamed.file, enabled=False)
    refused = renamed.run("up", "--yes", "--skip-preview", succeeds=False)
    assert f"set takeOver: {OWNER}" in refused
    assert deletions(deployed) == []
    configure(renamed.file, takeOver=OWNER)
    renamed.run("up", "--yes", "--skip-preview")
    assert len(deletions(deployed)) == 4


def test_a_renamed_stack_is_destroyed_as_it_is(renamed: Renamed, deployed: FakeNode, server: SshServer) -> None:
    del server.executions[:]
    renamed.run("destroy", "--yes", "--skip-preview")
    assert len(deletions(deployed)) == 4
    assert sum(f"owner={OWNER}" in command for command in server.commands()) == 3


def test_a_node_of_a_third_stack_is_refused(renamed: Renamed, deployed: FakeNode) -> None:
    deployed.agree(owned_by("kubernetes-audit/third"))
    configure(renamed.file, takeOver=OWNER)
    refused = renamed.run("preview", succeeds=False)
    assert "belongs to the stack 'kubernetes-audit/third'" in refused
    assert applications(deployed) == []


def test_a_renamed_project_takes_its_nodes_over(
    deployed: FakeNode, stack_file: Path, engine_environment: dict[str, str], tmp_path: Path
) -> None:
    result = pulumi(
        stack_file.parent, engine_environment, "stack", "rename", "organization/platform-audit/test", "--stack", STACK
    )
    assert result.returncode == 0, result.stdout
    folder = tmp_path / "renamed-project"
    folder.mkdir()
    project = yaml.safe_load((REPOSITORY / "Pulumi.yaml").read_text())
    virtual_environment = str(REPOSITORY / ".venv")
    runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": virtual_environment}}
    kept = {key: {**value} for key, value in project["config"].items()}
    settings = {"name": "platform-audit", "main": str(REPOSITORY), "runtime": runtime, "config": kept}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(settings))
    file = folder / "Pulumi.test.yaml"
    file.write_text(stack_file.read_text().replace("kubernetes-audit:", "platform-audit:"))
    stack = Renamed("organization/platform-audit/test", file, folder, engine_environment)
    refused = stack.run("preview", succeeds=False)
    assert f"set takeOver: {OWNER}" in refused, refused
    document = yaml.safe_load(file.read_text())
    document["config"]["platform-audit:takeOver"] = OWNER
    file.write_text(yaml.safe_dump(document))
    printed = stack.run("preview", "--diff")
    assert printed.count(record_only(OWNER, "platform-audit/test")) == 3
    assert "~ 4 to update" in printed
    stack.run("up", "--yes", "--skip-preview")
    assert deletions(deployed) == []


def component(server: SshServer, name: str = "east", kubeconfig: str | None = None, **more: Any) -> Program:
    """Another program, which has the node below a component."""
    host = {"name": "cp1", "host": server.host, "port": server.port, "user": "ops", "hostKey": server.host_key}

    def declare() -> None:
        arguments = {
            "cluster": "test",
            "nodes": [host],
            "policy": {"preset": "low-write"},
            "proof": {"enabled": False},
            "sshPrivateKey": sdk.Output.secret(server.private_key),
            **more,
        }
        if kubeconfig is not None:
            arguments["kubeconfig"] = sdk.Output.secret(kubeconfig)
        AuditLogging(name, arguments)

    return declare


def changes(run: Run) -> dict[str, set[str]]:
    """The names of the Commands by what the engine does to them."""
    assert run.error is None, run.error
    found: dict[str, set[str]] = {}
    for step in run.steps:
        if step.name.endswith(COMMANDS):
            found.setdefault(step.operation, set()).add(step.name)
    return found


def of(name: str) -> set[str]:
    return {f"{name}-{command}" for command in COMMANDS}


def test_a_renamed_component_takes_its_nodes_over(engine_stack: EngineStack, node: FakeNode, server: SshServer) -> None:
    node.agree(untouched())
    assert engine_stack.up(component(server)).error is None
    node.agree(owned_by(COMPONENT))
    west = "engine-test/test/west"
    assert f"set takeOver: {COMPONENT}" in (engine_stack.preview(component(server, "west")).error or "")
    preview = engine_stack.preview(component(server, "west", takeOver=COMPONENT))
    assert changes(preview) == {"update": of("west")}
    assert record_only(COMPONENT, west) in "\n".join(preview.messages("info"))
    (node.root / "told").unlink()
    assert changes(engine_stack.up(component(server, "west", takeOver=COMPONENT))) == {"update": of("west")}
    assert deletions(node) == []
    node.agree(owned_by(west, COMPONENT))
    assert changes(engine_stack.preview(component(server, "west"))) == {"same": of("west")}


def move(environment: dict[str, str], source: str, target: str, moved: list[str]) -> None:
    """``pulumi state move`` of these resources."""
    result = pulumi(REPOSITORY, environment, "state", "move", "--yes", "--source", source, "--dest", target, *moved)
    assert result.returncode == 0, result.stdout


def ours(stack: str, environment: dict[str, str], *, with_component: bool = False) -> list[str]:
    """The URNs of the stack's resources that are this project's, with or without ``AuditLogging`` itself."""
    result = pulumi(REPOSITORY, environment, "stack", "export", "--stack", stack)
    assert result.returncode == 0, result.stdout
    found = [each["urn"] for each in json.loads(result.stdout)["deployment"]["resources"]]
    return [
        urn for urn in found if "kubernetes-audit:index:" in urn and (with_component or "AuditLogging::" not in urn)
    ]


@pytest.mark.parametrize("with_component", [False, True], ids=["alone", "with the component"])
def test_the_resources_of_a_stack_move_below_a_component_and_back(
    engine_stack: EngineStack,
    deployed: FakeNode,
    server: SshServer,
    run: Command,
    stack_file: Path,
    engine_environment: dict[str, str],
    *,
    with_component: bool,
) -> None:
    assert engine_stack.up(lambda: None).error is None
    move(engine_environment, STACK, COMPONENT_STACK, ours(STACK, engine_environment))
    preview = engine_stack.preview(component(server, takeOver=OWNER))
    assert changes(preview) == {"update": of("east")}
    assert record_only(OWNER, COMPONENT) in "\n".join(preview.messages("info"))
    assert changes(engine_stack.up(component(server, takeOver=OWNER))) == {"update": of("east")}
    assert deletions(deployed) == []
    deployed.agree(owned_by(COMPONENT, OWNER))
    assert changes(engine_stack.preview(component(server))) == {"same": of("east")}

    move(
        engine_environment,
        COMPONENT_STACK,
        STACK,
        ours(COMPONENT_STACK, engine_environment, with_component=with_component),
    )
    configure(stack_file, takeOver=COMPONENT)
    printed = run("preview", "--diff")
    assert printed.count(record_only(COMPONENT, OWNER)) == 3
    assert "~ 4 to update" in printed
    run("up", "--yes", "--skip-preview")
    assert deletions(deployed) == []
    deployed.agree(owned_by(OWNER, COMPONENT))
    run("preview", "--expect-no-changes")


def test_objects_in_the_cluster_move_along(
    engine_stack: EngineStack,
    node: FakeNode,
    server: SshServer,
    run: Command,
    stack_file: Path,
    engine_environment: dict[str, str],
    kubernetes_api: KubernetesApi,
    namespace: str,
) -> None:
    kubeconfig, dashboards = kubernetes_api.kubeconfig(), {"mode": "configmap", "namespace": namespace}
    configure(stack_file, dashboards=dashboards)
    words = ("config", "set", "--secret", "kubeconfig", "--stack", STACK)
    assert pulumi(stack_file.parent, engine_environment, *words, given=kubeconfig).returncode == 0
    node.agree(untouched())
    run("up", "--yes", "--skip-preview")
    node.agree(owned_by(OWNER))
    assert engine_stack.up(lambda: None).error is None
    move(engine_environment, STACK, COMPONENT_STACK, ours(STACK, engine_environment))
    moved = engine_stack.up(component(server, kubeconfig=kubeconfig, dashboards=dashboards, takeOver=OWNER))
    assert moved.error is None, moved.error
    done = {(step.operation, step.name) for step in moved.steps if step.operation != "same"}
    commands = {("update", f"east-{command}") for command in COMMANDS}
    # No object is replaced. The provider is updated, as after another address of the cluster.
    assert done == commands | {("create", "east"), ("update", "east-cluster")}
    node.agree(owned_by(COMPONENT, OWNER))
    preview = engine_stack.preview(component(server, kubeconfig=kubeconfig, dashboards=dashboards))
    # The component itself has one argument less.
    assert {(step.operation, step.name) for step in preview.steps if step.operation != "same"} == {("update", "east")}
    assert any(step.name.startswith("east-dashboard") for step in preview.steps)


def test_without_the_move_the_nodes_keep_what_the_former_stack_deletes(
    engine_stack: EngineStack, deployed: FakeNode, server: SshServer, run: Command
) -> None:
    created = engine_stack.up(component(server, takeOver=OWNER))
    assert changes(created) == {"create": of("east")}
    assert applications(deployed) == ["apply-manifest", "apply-kubeadm-config"]
    deployed.agree(owned_by(COMPONENT, OWNER))
    del server.executions[:]
    run("destroy", "--yes", "--skip-preview")
    commands = [re.sub(r" <<.*", "", each, flags=re.DOTALL) for each in server.commands()]
    # None of the four names the new owner, by which the node knows that it must keep its files.
    assert not any(COMPONENT in command for command in commands)
    assert sum(f"owner={OWNER}" in command for command in commands) == 3
    (config,) = [command for command in commands if "restore-kubeadm-config" in command]
    assert "owner=" not in config
    assert changes(engine_stack.preview(component(server))) == {"same": of("east")}
