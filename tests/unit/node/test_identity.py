"""Which deletions the node obeys: it knows under which entry of ``nodes`` it was changed last, and who declares it."""

from __future__ import annotations

import os

import pytest

from auditlog.manifest.desired import sha256
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


HAND_OVER = "owner=stack/new former-owner=stack/old entry=cp1 policy=/p log=/l owned=record "
DELETIONS = {
    "manifest": "restore_manifest {}entry=cp1 "
    f"written={sha256('new manifest')} restore={sha256('old manifest')} arguments=a endpoint=e timeout=0 policy=/p",
    "policy": "take_away policy {}path=/p " + f"written={sha256('p')}",
    "webhook": "take_away webhook {}path=/w " + f"written={sha256('w')}",
    "node scripts": "uninstall {}",
    "kubeadm-config": "restore_kubeadm_config {}" + f"written={sha256('c')} restore={sha256('old manifest')}",
}
"""The deletions of everything that a stack has on a node, with a gap for the owner."""


@pytest.fixture
def handed_over(node: Node) -> Node:
    """A node of the stack ``stack/old`` that ``stack/new`` has taken over as it is."""
    node.says("owner", "stack/old\n")
    node.says("entry", "cp1\n")
    apply = (
        f"{STAND_INS}keep_before() {{ :; }}; detached() {{ echo changed; }}\n"
        f'printf "new manifest" >"$MANIFEST"; printf "new policy" >"$STATE/../policy"\n'
        f"apply_manifest {HAND_OVER.replace('/p ', f'{node.policy} ')}live={sha256('new manifest')}@1 "
        f"desired={sha256('new manifest')} policy-live={sha256('new policy')}@1 policy-desired={sha256('new policy')} "
        "arguments=a endpoint=e timeout=0 restart=no 2>&1"
    )
    assert run(node.folder, apply, "new manifest").stdout == "manifest: in sync\n"
    return node


def test_a_node_that_is_taken_over_has_the_new_owner_and_remembers_the_former_one(handed_over: Node) -> None:
    state = handed_over.folder / "state"
    assert (state / "owner").read_text() == "stack/new\n"
    assert (state / "former-owner").read_text() == "stack/old\n"
    assert (state / "entry").read_text() == "cp1\n"
    run(handed_over.folder, "give_up_ownership")
    assert not (state / "owner").exists()
    assert not (state / "former-owner").exists()


@pytest.mark.parametrize("what", DELETIONS)
def test_what_the_former_owner_deletes_is_kept(handed_over: Node, what: str) -> None:
    said = run(handed_over.folder, STAND_INS + DELETIONS[what].format("owner=stack/old "), "old manifest")
    assert said.stdout == f"{what}: kept for the stack stack/new\n", said.stderr
    assert handed_over.manifest.read_text() == "new manifest"
    assert (handed_over.folder / "state/owner").read_text() == "stack/new\n"


KUBECTL = "read_kubeadm_config() { fail read; }\n"


@pytest.mark.parametrize(
    ("owner", "taken_over", "kept"),
    [("", True, True), ("owner=stack/new ", True, False), ("", False, False)],
    ids=["of the former owner", "of the new one", "of a stack that took nothing over"],
)
def test_a_deletion_of_kubeadm_config_that_names_no_owner(
    handed_over: Node,
    owner: str,
    *,
    taken_over: bool,
    kept: bool,
) -> None:
    if not taken_over:
        (handed_over.folder / "state/former-owner").unlink()
    command = STAND_INS + KUBECTL + DELETIONS["kubeadm-config"].format(owner)
    said = run(handed_over.folder, command, "old manifest")
    assert (said.stdout, said.stderr) == (
        ("kubeadm-config: kept for the stack stack/new\n", "") if kept else ("", "error: read\n")
    )


@pytest.mark.parametrize(
    ("recorded", "former", "accepted"),
    [
        ("stack/old", "former-owner=stack/old ", True),
        ("stack/new", "former-owner=stack/old ", True),
        (None, "former-owner=stack/old ", True),
        ("stack/third", "former-owner=stack/old ", False),
        ("stack/old", "", False),
    ],
)
def test_a_node_is_taken_over_from_the_owner_that_is_named_and_from_no_other(
    node: Node,
    recorded: str | None,
    former: str,
    *,
    accepted: bool,
) -> None:
    if recorded is not None:
        node.says("owner", recorded + "\n")
    said = run(node.folder, f"check_owner owner=stack/new {former}&& echo accepted")
    assert (said.stdout == "accepted\n") is accepted
    if not accepted:
        assert f"belongs to the stack {recorded}, and this is stack/new; destroy that stack first" in said.stderr
        assert f"or set takeOver: {recorded} to take the node over from it as it is" in said.stderr
