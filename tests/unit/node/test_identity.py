"""Which deletions the node obeys: it knows under which entry of ``nodes`` it was changed last, and who declares it."""

from __future__ import annotations

import os

import pytest

from auditlog.apiserver.desired import sha256
from tests.unit.node.changed_node import STAND_INS, Node
from tests.unit.node.shell import run

FULL = "owner=stack entry=master-1 "
NAMELESS = ""


def restore(node: Node, given: str, before: str = "") -> str:
    """What the deletion of the manifest's Command prints."""
    script = (
        f'{before}detached() {{ echo "given back"; }}\n'
        f"restore_manifest {given}written={sha256('old manifest')} restore={sha256('new manifest')} arguments=a "
        f"endpoint=e timeout=0 policy={node.policy} 2>&1"
    )
    return run(node.folder, STAND_INS + script, "new manifest").stdout


@pytest.mark.parametrize(
    ("given", "recorded", "kept"),
    [
        (FULL, "master-1", False),
        ("owner=stack entry=cp1 ", "master-1", True),
        ("owner=another entry=master-1 ", "master-1", True),
        (NAMELESS, "master-1", True),
        (NAMELESS, None, False),
        (FULL, None, False),
    ],
)
def test_only_the_entry_that_applied_last_gives_back(
    node: Node,
    given: str,
    recorded: str | None,
    kept: bool,
) -> None:
    node.says("owner", "stack\n")
    if recorded is not None:
        node.says("entry", recorded + "\n")
    said = restore(node, given)
    assert ("given back" in said) is not kept
    assert (node.folder / "state/owner").exists() is kept
    if kept:
        assert said.startswith("manifest: kept for the ")


def test_what_a_running_program_declares_is_not_given_back(node: Node) -> None:
    node.says("owner", "stack\n")
    node.says("entry", "master-1\n")
    held = 'exec 8>"$STATE/declared"; flock -s 8\n'
    assert restore(node, FULL, held) == "manifest: kept, because the program that runs now declares it\n"
    assert (node.folder / "state/owner").exists()
    assert "given back" in restore(node, FULL), "the program has ended, its lock with it"


@pytest.mark.parametrize(
    ("arguments", "kubeconfig", "name"),
    [
        ("--config=x --hostname-override=master-1", "name: system:node:cp9", "master-1"),
        ("--hostname-override master-1 --v=2", "", "master-1"),
        ("--config=x", "- name: system:node:cp9\n  user:\n  name: system:node:cp9@kubernetes", "cp9"),
        ("--config=x", "- name: default-auth", "the-host"),
        ("--config=x", "", "the-host"),
    ],
)
def test_the_machines_own_name_is_kubelets(node: Node, arguments: str, kubeconfig: str, name: str) -> None:
    (node.folder / "kubelet.conf").write_text(kubeconfig)
    os.mkfifo(node.folder / "pipe")
    said = run(
        node.folder,
        f"uname() {{ echo The-Host; }}\nKUBELET_CONF={node.folder}/kubelet.conf\n"
        f"sh -c 'read -r _' kubelet {arguments} <{node.folder}/pipe & kubelet=$!\n"
        'exec 5>"$STATE/../pipe"\n'
        # At first the process has the command line of the shell that starts it.
        """runs() { tr '\\0' '\\n' <"/proc/$kubelet/cmdline" | grep -qx kubelet; }\n"""
        'until_it runs; node_name "$kubelet"; exec 5>&-',
    )
    assert said.stdout == name + "\n", said.stderr
