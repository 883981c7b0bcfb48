"""The package under the real engine: its schema, and the guide's YAML program on a node that is a folder."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path

import pytest

from auditlog.settings.package_schema import package_schema_text
from auditlog.stack_file.check import check_stack_file
from lab.paths import NODE_FILES
from tests.engine.fake_node import FakeNode, fake_node
from tests.engine.ssh_server import SshServer
from tests.engine.yaml_program import CLUSTER, STACK, YamlProgram
from tests.unit.plan.nodes import applied, untouched
from tests.unit.stack_file.stack_files import FOLDER, PROJECT

PREFIX = f"urn:pulumi:{STACK}::platform::"
COMPONENT = "kubernetes-audit:index:AuditLogging"


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    node = fake_node(tmp_path / "node", monkeypatch)
    node.agree(untouched())
    return node


@pytest.fixture
def program(tmp_path: Path, server: SshServer, engine_environment: dict[str, str]) -> YamlProgram:
    node = {"name": "cp1", "host": server.host, "port": server.port, "user": "ops", "hostKey": server.host_key}
    return YamlProgram.of_guide(tmp_path / "program", engine_environment, node, server.private_key)


def test_the_engine_takes_the_schema_and_it_is_the_one_that_is_checked_in(
    tmp_path: Path, engine_environment: dict[str, str]
) -> None:
    plugin = NODE_FILES / "pulumi-resource-kubernetes-audit"
    answer = subprocess.run(
        ["pulumi", "package", "get-schema", str(plugin)],
        cwd=tmp_path,
        env={**engine_environment, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert "warning" not in answer.stderr
    schema, ours = json.loads(answer.stdout), json.loads(package_schema_text())
    assert schema["types"].keys() == ours["types"].keys()
    resource = schema["resources"][COMPONENT]
    assert resource["requiredInputs"] == ["cluster", "nodes"]
    secret = {name for name, found in resource["inputProperties"].items() if found.get("secret")}
    assert secret == {"sshPrivateKey", "sshReadingPrivateKey", "kubeconfig", "webhook", "loki"}
    assert all(found["description"] for found in resource["inputProperties"].values())


def test_a_preview_reads_the_node_and_changes_nothing(program: YamlProgram, node: FakeNode, server: SshServer) -> None:
    before = node.snapshot()
    printed = program.pulumi("preview", "--diff")
    assert "+++ /etc/kubernetes/audit-policy.yaml" in printed
    assert "cp1: the manifest lacks --audit-policy-file" in printed
    assert "plan digest: " in printed
    assert len(server.commands()) == 1
    assert node.snapshot() == before


def test_it_is_applied_unchanged_afterwards_and_removed(
    program: YamlProgram, node: FakeNode, server: SshServer
) -> None:
    program.set(proof={"enabled": False})
    program.pulumi("up", "--yes", "--skip-preview")
    state = json.loads(program.pulumi("stack", "export"))
    urns = [resource["urn"].removeprefix(PREFIX) for resource in state["deployment"]["resources"]]
    assert f"{COMPONENT}::{CLUSTER}" in urns
    assert f"{COMPONENT}$kubernetes-audit:index:ControlPlaneNode$command:remote:Command::{CLUSTER}-cp1-manifest" in urns
    assert server.private_key not in json.dumps(state)
    assert any(f"owner=platform/{STACK}/{CLUSTER} " in command for command in server.commands())
    outputs = json.loads(program.pulumi("stack", "output", "--json"))
    assert outputs["queries"]["whoDeleted"] == '{job="kubernetes-audit"} |= "delete" |= "NAME"'
    assert outputs["nodes"]["cp1"]["logFile"] == "/var/log/kubernetes/audit/audit.log"

    node.agree(dataclasses.replace(applied(), owner=f"platform/{STACK}/{CLUSTER}", entry="cp1", edits_back=True))
    program.pulumi("preview", "--expect-no-changes")

    del server.executions[:]
    program.pulumi("destroy", "--yes", "--skip-preview")
    done = " ".join(server.commands())
    assert done.index("restore-kubeadm-config") < done.index("restore-manifest") < done.index("remove-policy")


def test_a_host_that_another_resource_makes_is_not_known_in_the_first_preview(
    program: YamlProgram, server: SshServer
) -> None:
    written = program.read()
    properties = written["resources"][CLUSTER]["properties"]
    (node,) = properties["nodes"]
    key = {"privateKey": "${sshPrivateKey}", "hostKey": node["hostKey"]}
    machine = {"connection": {**key, "host": node["host"], "port": node["port"]}, "create": f"printf {node['host']}"}
    written["resources"]["machine"] = {"type": "command:remote:Command", "properties": machine}
    properties["nodes"] = [{**node, "host": "${machine.stdout}"}]
    properties["proof"] = {"enabled": False}
    program.write(written)
    printed = program.pulumi("preview")
    assert "not previewed: nodes is not known yet; every resource is shown as it is" in printed
    assert f"{CLUSTER}-cp1-manifest" in printed
    assert server.commands() == []
    program.pulumi("up", "--yes", "--skip-preview")
    assert any(" apply-manifest " in command for command in server.commands())


def test_an_event_that_does_not_arrive_fails_the_component(program: YamlProgram) -> None:
    failed = program.run("up", "--yes", "--skip-preview")
    assert failed.returncode != 0
    assert "Events do not arrive as they should; the nodes stay as they are now." in failed.stdout
    assert "Traceback" not in failed.stdout


def test_mistakes_have_the_words_of_a_stack_file_and_no_node_is_dialled(
    program: YamlProgram, server: SshServer
) -> None:
    file = FOLDER / "broken" / "a_batch_with_mode_blocking.yaml"
    (mistake,) = check_stack_file(file.name, file.read_text(), PROJECT, file.parent).mistakes
    program.set(auditLog={"mode": "blocking", "batch": {"maxSize": 5}}, cluster="PRODUCTION")
    refused = program.run("preview")
    assert refused.returncode != 0
    assert f"{CLUSTER}' has a problem: The configuration is wrong; no node was contacted." in refused.stdout
    assert mistake.message in refused.stdout
    assert "cluster: is 'PRODUCTION'; allowed: a name of lower-case letters" in refused.stdout
    assert "Traceback" not in refused.stdout
    assert server.commands() == []
