"""What a node says of the admission policies of its cluster."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.unit.node.shell import run

MARKED = 'ValidatingAdmissionPolicy/audit-annotations-a {"kubernetes-audit/owner":"p/s"}\n'
BARE = "ValidatingAdmissionPolicy/audit-annotations-a \n"
OURS = 'ValidatingAdmissionPolicy/audit-annotations-a {"x":"y z"}\n'


@pytest.fixture
def node(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    return tmp_path


def kubectl(folder: Path, script: str) -> None:
    (folder / "bin/kubectl").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin/kubectl").chmod(0o700)


@pytest.mark.parametrize(
    ("there", "told", "owners"),
    [
        (
            f"ValidatingAdmissionPolicy/other {{}}\nof ValidatingAdmissionPolicy/other {{}}\n{OURS}of {MARKED}",
            OURS,
            MARKED,
        ),
        (f"{OURS}of {BARE}", OURS, BARE),
        ("", "", ""),
    ],
)
def test_it_tells_what_our_policies_say_and_whose_they_are(node: Path, there: str, told: str, owners: str) -> None:
    (node / "there").write_text(there)
    kubectl(node, f"cat {node}/there")
    said = dict(line.partition(" ")[::2] for line in run(node, "fact_annotations").stdout.splitlines())
    decoded = {name: base64.b64decode(text).decode() for name, text in said.items()}
    assert decoded == {"annotations": told, "annotation-owners": owners}


def test_a_cluster_that_does_not_say_is_no_error(node: Path) -> None:
    kubectl(node, "printf half; echo 'the server does not have a resource type' >&2; exit 1")
    result = run(node, "fact_annotations")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
