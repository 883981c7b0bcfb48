"""Copies of manifest and policy, and whose the stack's folder on the node is."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditlog.manifest.desired import sha256
from tests.unit.node.shell import run

FULL_DISK = "cp() { return 1; }\n"


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """Manifest and policy new, the old ones in a backup."""
    for folder in ("state/staged", "backup"):
        (tmp_path / folder).mkdir(parents=True)
    for name, live in (("kube-apiserver.yaml", "manifest"), ("audit-policy.yaml", "policy")):
        (tmp_path / "backup" / name).write_text("old")
        (tmp_path / live).write_text("new")
    journal = f"backup={tmp_path}/backup\npolicy={tmp_path}/policy\ndesired={sha256('new')}\n"
    (tmp_path / "state/journal").write_text(journal)
    return tmp_path


def test_the_way_back_needs_no_room_once_it_is_kept(node: Path) -> None:
    kept = f"keep_way_back {node}/backup"
    result = run(node, f"{kept} && {{ {FULL_DISK} restore_files {node}/backup; }}")
    assert result.returncode == 0, result.stderr
    assert ((node / "manifest").read_text(), (node / "policy").read_text()) == ("old", "old")


def test_the_way_back_of_another_backup_is_copied_anew(node: Path) -> None:
    (node / "state/staged/put-back-kube-apiserver.yaml").write_text("older")
    (node / "state/staged/put-back-audit-policy.yaml").write_text("older")
    assert run(node, f"restore_files {node}/backup").returncode == 0
    assert ((node / "manifest").read_text(), (node / "policy").read_text()) == ("old", "old")


def test_without_room_the_way_back_says_so_and_leaves_whole_files(node: Path) -> None:
    result = run(node, f'{FULL_DISK}restore_files {node}/backup || echo "$problem"')
    assert result.stdout == f"cannot write {node}/state/staged/put-back-audit-policy.yaml\n"
    assert ((node / "manifest").read_text(), (node / "policy").read_text()) == ("new", "new")


def test_a_policy_on_another_file_system_comes_back_by_a_copy_beside_it(node: Path) -> None:
    script = "stat() { case $3 in */state/*) echo 1 ;; *) echo 2 ;; esac; }\n"
    script += 'swap_in() { echo "$1"; exchange "$2" "$1"; }\n'
    result = run(node, f"{script}chown() {{ :; }}\nrestore_files {node}/backup")
    assert f"{node}/.policy.kubernetes-audit" in result.stdout
    assert (node / "policy").read_text() == "old"


@pytest.mark.parametrize(
    "call",
    [
        "restore_files {node}/backup && clear_slots",
        "take_away policy path={node}/policy written=$(hash_of {node}/policy) owner=mine",
    ],
)
def test_what_a_power_cut_left_of_a_put_goes_with_the_file(node: Path, call: str) -> None:
    left = Path(run(node, f"temporary_of {node}/policy").stdout.strip())
    left.write_text("half")
    result = run(node, call.format(node=node))
    assert result.returncode == 0, result.stderr
    assert not left.exists()


@pytest.mark.parametrize(
    ("call", "api_server", "kept"),
    [
        ("uninstall owner=other", False, True),
        ("uninstall owner=mine", False, False),
        ("uninstall", False, False),
        ("uninstall owner=mine", True, True),
        ("uninstall", True, True),
    ],
)
def test_only_the_owners_folder_is_removed_and_after_its_manifest(
    node: Path, call: str, api_server: bool, kept: bool
) -> None:
    (node / "state/journal").unlink()
    if not api_server:
        (node / "manifest").unlink()
    (node / "state/owner").write_text("mine\n")
    result = run(node, call)
    assert result.returncode == 0, result.stderr
    assert (node / "state/owner").exists() is kept
    assert ("kept for the stack mine" in result.stdout) is kept


@pytest.mark.parametrize(
    ("owner", "api_server", "kept"),
    [
        ("other", "", True),
        ("mine", "", False),
        ("mine", "--audit-policy-file={node}/policy", True),
        ("mine", "--v=2", False),
    ],
)
def test_only_the_owners_policy_is_removed_and_after_its_manifest(
    node: Path, owner: str, api_server: str, kept: bool
) -> None:
    (node / "state/owner").write_text("mine\n")
    (node / "manifest").write_text(f"    - {api_server.format(node=node)}\n")
    if not api_server:
        (node / "manifest").unlink()
    written = run(node, f"hash_of {node}/policy").stdout.strip()
    result = run(node, f"take_away policy path={node}/policy written={written} owner={owner}")
    assert result.returncode == 0, result.stderr
    assert (node / "policy").exists() is kept


def test_nothing_waits_beside_a_file_that_came_back_right_before_the_power_went(node: Path) -> None:
    (node / "state/before").mkdir(exist_ok=True)
    (node / "state/before/audit-policy.yaml").write_text("made by hand")
    (node / "policy").write_text("ours")
    (node / "state/journal").unlink()
    call = f"take_away policy path={node}/policy written=$(printf ours | sha256sum | cut -d ' ' -f 1) owner=mine"
    quiet = "is_needed() { return 1; }\ntake_lock() { :; }\n"
    run(node, f"{quiet}clear_slot() {{ exit 1; }}\n{call}")
    slot = node / ".policy.kubernetes-audit-displaced"
    assert slot.read_text() == "ours"
    assert run(node, f"{quiet}{call}").returncode == 0
    assert not slot.exists()
    assert (node / "policy").read_text() == "made by hand"
