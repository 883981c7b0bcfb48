"""What a node says of the admission policies of its cluster."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.unit.node.shell import run

OURS = 'ValidatingAdmissionPolicy/audit-annotations-a {"x":"y z"}\n'


@pytest.fixture
def node(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    return tmp_path


def kubectl(folder: Path, script: str) -> None:
    (folder / "bin/kubectl").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin/kubectl").chmod(0o700)


@pytest.mark.parametrize(("there", "told"), [(f"ValidatingAdmissionPolicy/other {{}}\n{OURS}", OURS), ("", "")])
def test_it_tells_what_our_policies_say(node: Path, there: str, told: str) -> None:
    (node / "there").write_text(there)
    kubectl(node, f"cat {node}/there")
    name, _, said = run(node, "fact_annotations").stdout.rstrip("\n").partition(" ")
    assert (name, base64.b64decode(said).decode()) == ("annotations", told)


def test_a_cluster_that_does_not_say_is_no_error(node: Path) -> None:
    kubectl(node, "printf half; echo 'the server does not have a resource type' >&2; exit 1")
    result = run(node, "fact_annotations")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
