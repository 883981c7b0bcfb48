"""What a node says of its API server's own account of its flags."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.unit.node.shell import run

ANSWER = """
kube-apiserver flagz
Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees.
advertise-address: 10.0.0.11
audit-log-path: /var/log/kubernetes/audit/audit.log
audit-policy-file: /etc/kubernetes/audit-policy.yaml
oidc-client-id: kubernetes
"""
MANIFEST = "command:\n- kube-apiserver\n- --advertise-address={address}\n- --secure-port=7443\n"


@pytest.fixture
def node(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "answer").write_text(ANSWER)
    (tmp_path / "manifest").write_text(MANIFEST.format(address="10.0.0.11"))
    kubectl(tmp_path, f'echo "$*" >{tmp_path}/asked; cat {tmp_path}/answer')
    return tmp_path


def kubectl(folder: Path, script: str) -> None:
    (folder / "bin/kubectl").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin/kubectl").chmod(0o700)


def test_the_nodes_own_api_server_is_asked_and_only_audit_flags_leave_the_node(node: Path) -> None:
    name, said = run(node, "fact_flagz").stdout.split()
    assert (name, base64.b64decode(said).decode().splitlines()) == (
        "flagz",
        [line for line in ANSWER.splitlines() if line.startswith("audit-")],
    )
    assert "--server https://10.0.0.11:7443 " in (node / "asked").read_text()
    assert "get --raw /flagz" in (node / "asked").read_text()


def test_an_address_of_ipv6_stands_in_brackets(node: Path) -> None:
    (node / "manifest").write_text(MANIFEST.format(address="fd00::11"))
    run(node, "fact_flagz")
    assert "--server https://[fd00::11]:7443 " in (node / "asked").read_text()


@pytest.mark.parametrize(
    "kubectl_script",
    ["echo 'the server could not find the requested resource' >&2; exit 1", "echo Forbidden >&2; exit 1", "echo ok"],
)
def test_an_api_server_that_does_not_say_is_no_error(node: Path, kubectl_script: str) -> None:
    kubectl(node, kubectl_script)
    result = run(node, "fact_flagz")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_while_a_change_is_under_way_another_api_server_may_answer_and_none_is_asked(node: Path) -> None:
    (node / "state").mkdir()
    (node / "state/journal").touch()
    assert run(node, "fact_flagz").stdout == ""
    assert not (node / "asked").exists()
