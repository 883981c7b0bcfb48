"""The project's own program under the real engine, on a node that is a folder: where its resources stand in a stack."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

from lab.paths import REPOSITORY
from tests.engine.fake_node import FakeNode
from tests.engine.program_stack import STACK
from tests.engine.ssh_server import SshServer
from tests.engine.test_stack_files import pulumi
from tests.unit.plan.nodes import applied, untouched

URNS = {
    "kubernetes-audit:index:NodeScripts::node-scripts",
    "kubernetes-audit:index:NodeScripts$command:remote:Command::cp1-scripts",
    "kubernetes-audit:index:AuditPolicy::audit-policy",
    "kubernetes-audit:index:AuditPolicy$command:remote:Command::cp1-policy",
    "kubernetes-audit:index:ControlPlaneNode::cp1",
    "kubernetes-audit:index:ControlPlaneNode$command:remote:Command::cp1-manifest",
    "kubernetes-audit:index:KubeadmConfig::kubeadm-config",
    "kubernetes-audit:index:KubeadmConfig$command:remote:Command::cluster-configuration",
}
"""What every stack holds since the first version. A resource of another URN would be a new one, and the engine would
delete this one: audit logging would go off and on again on every node, with two restarts of each API server."""


def test_while_the_api_server_restarts_the_file_is_shown_and_nothing_is_touched(
    stack_file: Path, node: FakeNode, server: SshServer, engine_environment: dict[str, str]
) -> None:
    refused = "The connection to the server 10.0.0.11:6443 was refused - did you specify the right host or port?"
    node.agree(dataclasses.replace(untouched(), kubeadm_config=None, kubeadm_config_error=refused))
    for words in (("preview", "--diff"), ("up", "--yes", "--skip-preview")):
        run = pulumi(REPOSITORY, engine_environment, *words, "--stack", STACK, "--config-file", str(stack_file))
        assert run.returncode != 0
        assert "cp1: the API server does not answer, though its process has run since" in run.stdout
        assert "did you specify" not in run.stdout
        assert run.stdout.count("error: The nodes cannot be changed as they are; nothing was changed.") >= 1
        assert "unhandled" not in run.stdout
        assert ("+    - --audit-policy-file=/etc/kubernetes/audit-policy.yaml" in run.stdout) is (words[0] == "preview")
    assert all(" facts " in command for command in server.commands())


def test_resources_have_the_urns_that_they_have_in_every_stack_and_stay_as_they_are(
    stack_file: Path, node: FakeNode, engine_environment: dict[str, str]
) -> None:
    def run(*words: str) -> str:
        result = pulumi(REPOSITORY, engine_environment, *words, "--stack", STACK)
        assert result.returncode == 0, result.stdout
        return result.stdout

    file = ("--config-file", str(stack_file))
    node.agree(untouched())
    run("up", "--yes", "--skip-preview", *file)
    resources = json.loads(run("stack", "export"))["deployment"]["resources"]
    found = {resource["urn"].removeprefix("urn:pulumi:test::kubernetes-audit::") for resource in resources}
    assert {urn for urn in found if not urn.startswith("pulumi:")} == URNS
    node.agree(dataclasses.replace(applied(), entry="cp1", edits_back=True))
    run("preview", "--expect-no-changes", *file)


def test_a_stack_that_keeps_nothing_in_the_cluster_needs_no_kubernetes_provider(
    stack_file: Path, node: FakeNode, engine_environment: dict[str, str], plugin_directory: Path
) -> None:
    plugins = Path(engine_environment["PULUMI_HOME"]) / "plugins"
    plugins.unlink()
    kubernetes = "resource-kubernetes-v*"
    shutil.copytree(plugin_directory, plugins, symlinks=True, ignore=shutil.ignore_patterns(kubernetes))
    # Beside a plugin the engine notes when it was last used.
    assert len([each for each in plugin_directory.glob(kubernetes) if each.is_dir()]) == 1
    node.agree(untouched())
    for words in (("preview", "--diff"), ("up", "--yes", "--skip-preview")):
        run = pulumi(REPOSITORY, engine_environment, *words, "--stack", STACK, "--config-file", str(stack_file))
        assert run.returncode == 0, run.stdout
        assert "pulumi-resource-kubernetes" not in run.stdout
