"""Annotations from files on three nodes and on one that joins: every API server annotates, also the new one's own.

The steps are in order, on a lab of their own: no reset takes a node that joined out of a cluster again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditlog.manifest.admission_configuration import ADMISSION_FLAG, ADMISSION_PATH
from lab.api import Lab, Node
from lab.paths import REPOSITORY
from lab.stack import PulumiStack, configuration
from lab.state import LabState
from tests.lab.own_lab import OwnLab
from tests.lab.test_annotation_files import FILE, FOLDER, own_entry
from tests.lab.test_first_stack import LOG, MANIFEST, eventually, hashes, process_arguments, process_ids

# The first test makes the lab, which on a busy machine alone takes minutes.
pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(2400)]

_STATIC = "audit-annotations-made.static.k8s.io/said"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    own = OwnLab("annotated")
    own.command("down")  # what a run that was killed may have left
    own.up("--nodes", "3")
    yield Lab.load(own.paths)
    own.command("down")


@pytest.fixture(scope="module", autouse=True)
def before(lab: Lab) -> dict[str, dict[str, str]]:
    return {node.name: hashes(node) for node in lab.nodes}


def configure(lab: Lab, stack: PulumiStack, own: str, **more: object) -> None:
    annotations = {"delivery": "files", "files": [own]}
    stack.configure(lab.state, {"restart": "drain", "rehearsal": True, "annotations": annotations, **more})


def said(lab: Lab, node: Node, name: str) -> str | None:
    """What this node's own API server says of a ConfigMap that it is asked to create."""
    lab.kubectl("--server", f"https://{node.address}:6443", "-n", "default", "create", "configmap", name)
    (line,) = node.run(f'grep -F \'"name":"{name}"\' {LOG} | grep ResponseComplete').stdout.splitlines()
    found: str | None = json.loads(line).get("annotations", {}).get(_STATIC)
    return found


def inspect(lab: Lab, node: Node, home: Path) -> subprocess.CompletedProcess[str]:
    words = ["inspect", f"ops@{node.address}", "--identity", str(lab.paths.ssh_key), "--host-key", node.host_key]
    environment = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
    return subprocess.run(
        [sys.executable, "-m", "auditlog", *words, "--json"],
        cwd=REPOSITORY,
        env={**environment, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def processes(lab: Lab) -> dict[str, str]:
    return {node.name: process_ids(node) for node in lab.nodes}


def test_every_api_server_annotates_and_takes_a_change_without_a_restart(
    lab: Lab, stack: PulumiStack, tmp_path: Path
) -> None:
    configure(lab, stack, own_entry(tmp_path, "first"))
    stack.run("up", "--yes", "--skip-preview")
    assert {said(lab, node, f"first-{node.name}") for node in lab.nodes} == {"first"}
    stack.run("preview", "--expect-no-changes")
    running = processes(lab)
    configure(lab, stack, own_entry(tmp_path, "second"))
    stack.run("up", "--yes", "--skip-preview")
    assert {said(lab, node, f"second-{node.name}") for node in lab.nodes} == {"second"}
    assert processes(lab) == running
    stack.run("preview", "--expect-no-changes")


def test_a_file_of_somebody_else_on_one_node_is_named_by_a_preview_and_by_inspect(
    lab: Lab, stack: PulumiStack, tmp_path: Path
) -> None:
    """It works by the earlier files and would not start again."""
    node, theirs = lab.node("cp2"), f"{FOLDER}/theirs.yaml"
    node.run(f"echo 'kind: Nonsense' >{theirs}")
    refused = stack.run("preview", check=False)
    assert refused.returncode != 0
    assert f"cp2: {theirs} has an object of kind Nonsense" in " ".join(refused.stdout.split())
    inspected = inspect(lab, node, tmp_path)
    assert (inspected.returncode, "admission-policies-refused" in inspected.stdout) == (1, True), inspected.stdout
    policy = {"metadata": {"name": "theirs.static.k8s.io"}, "spec": {"validations": [{"expression": "no such thing"}]}}
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy"}
    node.run(f"cat >{theirs} <<'TEXT'\n{json.dumps({**head, **policy})}\nTEXT")
    shown = " ".join(stack.run("preview").stdout.split())
    assert f"the API server works by other admission policies than those in {FOLDER} now" in shown
    assert "theirs.yaml" in shown
    node.run(f"rm {theirs}")
    clean = eventually(lambda: stack.run("preview").stdout, lambda found: "other admission policies" not in found, 120)
    assert "other admission policies" not in clean


def test_a_machine_is_prepared_and_its_api_server_annotates_from_its_first_start(
    lab: Lab, stack: PulumiStack, tmp_path: Path
) -> None:
    own = own_entry(tmp_path, "third")

    def prepare(state: LabState) -> None:
        nodes = configuration(state)["nodes"]
        configure(lab, stack, own, nodes=[*nodes[:-1], {**nodes[-1], "joining": True}])
        printed = stack.run("up", "--yes", "--skip-preview").stdout
        assert "cp4-static-policies created" in printed
        assert "cp4-admission created" in printed

    grown = lab.join(prepare)
    joined = grown.node("cp4")
    assert f"--{ADMISSION_FLAG}={ADMISSION_PATH}" in process_arguments(joined)
    assert said(grown, joined, "of-the-new-one") == "third"
    running = processes(grown)
    configure(grown, stack, own)
    stack.run("up", "--yes", "--skip-preview")
    assert processes(grown) == running, "taken over without a restart"
    stack.run("preview", "--expect-no-changes")


def test_a_member_that_has_lost_its_files_is_told_by_a_preview_and_gets_them_at_the_next_up(
    lab: Lab, stack: PulumiStack
) -> None:
    """As on a node that joined without being prepared: its API server cannot start until the files are there."""
    grown = Lab.load(lab.paths)
    joined = grown.node("cp4")
    others = {name: found for name, found in processes(grown).items() if name != "cp4"}
    joined.run(
        f"rm -r {FOLDER} {ADMISSION_PATH}; for comm in $(grep -lx kube-apiserver /proc/[0-9]*/comm); do "
        "pid=${comm%/comm}; kill ${pid#/proc/}; done"
    )
    eventually(lambda: process_ids(joined), lambda found: not found, 60)
    shown = " ".join(stack.run("preview", "--diff").stdout.split())
    for path in (FILE, ADMISSION_PATH):
        assert f"{path} was deleted since this stack wrote it" in shown or f"{path} is not there" in shown, shown
    stack.run("up", "--yes", "--skip-preview")
    assert said(grown, joined, "again") == "third"
    assert {name: found for name, found in processes(grown).items() if name != "cp4"} == others
    stack.run("preview", "--expect-no-changes")


def test_removal_gives_every_node_back(lab: Lab, stack: PulumiStack, before: dict[str, dict[str, str]]) -> None:
    stack.run("destroy", "--yes", "--skip-preview")
    assert {node.name: hashes(node) for node in lab.nodes} == before
    for node in Lab.load(lab.paths).nodes:
        assert not any("audit" in argument for argument in process_arguments(node))
        left = node.run(f"ls -d {MANIFEST}.* {FOLDER} {ADMISSION_PATH} /etc/kubernetes/audit* 2>/dev/null || true")
        assert left.stdout == ""
