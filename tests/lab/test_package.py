"""The guide's YAML program on a real control plane: another program audits a cluster through the package.

The tests are its steps, in this order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditlog.manifest import manifest
from lab import node as lab_node
from lab.api import Lab, Node
from lab.environment import environment
from tests.engine.yaml_program import CLUSTER, STACK, YamlProgram
from tests.lab.test_first_stack import FLAGS, LOG, POLICY, hashes, process_arguments

pytestmark = pytest.mark.exhaustive


@pytest.fixture(scope="module")
def before(node: Node) -> dict[str, str]:
    return hashes(node)


@pytest.fixture(scope="module")
def program(lab: Lab, before: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[YamlProgram]:  # noqa: ARG001
    (state,) = lab.state.nodes
    node = {"name": state.name, "host": state.address, "user": lab_node.OPERATOR, "hostKey": state.host_key}
    folder: Path = tmp_path_factory.mktemp("package") / "program"
    made = YamlProgram.of_guide(folder, environment(lab.paths), node, lab.paths.ssh_key.read_text())
    yield made
    made.pulumi("cancel", "--yes")
    made.pulumi("stack", "rm", "--yes", "--force")


def test_up_turns_audit_logging_on(lab: Lab, node: Node, program: YamlProgram) -> None:
    printed = program.pulumi("up", "--yes", "--skip-preview")
    assert "runs with exactly the manifest's arguments" in printed
    arguments = process_arguments(node)
    assert {name: manifest.flag_value(arguments, name) for name in FLAGS} == FLAGS
    outputs = json.loads(program.pulumi("stack", "output", "--json"))
    assert outputs["nodes"]["cp1"]["policySha256"] == node.sha256(POLICY)
    lab.kubectl("create", "configmap", "of-another-program", as_user="alice")
    assert '"verb":"create"' in node.run(f"grep of-another-program {LOG}").stdout


def test_a_second_preview_says_unchanged_and_a_hand_edit_is_drift(node: Node, program: YamlProgram) -> None:
    program.pulumi("preview", "--expect-no-changes")
    kept = node.run(f"cat {POLICY}").stdout
    node.run(f"echo '# by hand' >>{POLICY}")
    preview = program.pulumi("preview", "--diff")
    assert f"the policy file {POLICY} was edited since this stack wrote it" in preview
    node.run(f"cat >{POLICY} <<'END'\n{kept}END\n")


def test_the_node_belongs_to_the_component(node: Node) -> None:
    owner = node.run("cat /etc/kubernetes/audit-logging/owner").stdout.strip()
    assert owner == f"platform/{STACK}/{CLUSTER}"


def test_destroy_gives_back_every_byte(node: Node, program: YamlProgram, before: dict[str, str]) -> None:
    program.pulumi("up", "--yes", "--skip-preview")
    program.pulumi("destroy", "--yes", "--skip-preview")
    assert hashes(node) == before
    assert "audit" not in " ".join(process_arguments(node))
