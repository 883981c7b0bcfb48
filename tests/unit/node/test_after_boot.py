"""What the unit of a change does once the machine has booted, and that it is there exactly as long as the journal."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.node.changed_node import STEPS, Node

SYSTEMD = "systemd_runs() { :; }\n"
UNIT = "kubernetes-audit-recovery.service"
FROM_SWAP = STEPS[STEPS.index("swap") :]
AFTER_BOOT = "after_boot 2>&1; echo status $?"


def units(node: Node) -> list[str]:
    folder = node.folder / "units"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


INSTALLED = [UNIT, f"multi-user.target.wants/{UNIT}"]


def change(node: Node, script: str) -> str:
    return node.run(
        f"{SYSTEMD}{script}transaction enable {node.as_read} policy={node.policy} "
        "policy-desired=$(hash_of $STATE/staged/audit-policy.yaml) arguments=a arguments-before=b endpoint=e timeout=0 "
        "log=/nowhere marker=no owner=stack 2>&1"
    )


def test_it_is_there_before_a_file_changes_and_gone_when_the_change_has_ended(node: Node) -> None:
    node.says("new-runs")
    node.says("healthy")
    seen = 'put_in_place() { (cd "$UNITS" && find . -name "kube*" | sort) >"$STATE/seen"; place "$STATE/staged/'
    seen += (
        'audit-policy.yaml" "$policy" 600 "$(known_texts)" && place "$STATE/staged/kube-apiserver.yaml" "$MANIFEST" '
    )
    seen += 'like "$(known_texts)"; }\n'
    assert "manifest: running and healthy" in change(node, seen)
    assert (node.folder / "state/seen").read_text().split() == [f"./{name}" for name in INSTALLED]
    assert units(node) == []


def test_it_goes_with_a_change_that_was_put_back_and_stays_where_the_way_back_fails(node: Node) -> None:
    assert "And the way back failed" in change(node, "")
    assert units(node) == INSTALLED
    node.says("healthy")
    assert "The earlier manifest runs again" in change(node, "")
    assert units(node) == []


def test_a_node_without_systemd_gets_none(node: Node) -> None:
    change(node, "systemd_runs() { return 1; }\n")
    assert units(node) == []


def test_a_folder_of_units_that_cannot_be_written_is_said_and_stops_nothing(node: Node) -> None:
    node.says("new-runs")
    node.says("healthy")
    (node.folder / "units").write_text("a file in the folder's place")
    said = change(node, "")
    assert f"by itself, because {node.folder}/units cannot be written" in said
    assert "manifest: running and healthy" in said


def test_removing_the_scripts_removes_it(node: Node) -> None:
    node.run(f"{SYSTEMD}install_recovery; uninstall owner=stack")
    assert units(node) == []


@pytest.mark.parametrize("at", FROM_SWAP)
def test_new_files_that_get_ready_stay(node: Node, at: str) -> None:
    """Though a process of now has the number of one that had to go."""
    node.write_journal(at, boot="another")
    node.manifest.write_text("new manifest")
    node.policy.write_text("new policy")
    for name, text in (("pids", "11\n"), ("new-runs", ""), ("healthy", "")):
        node.says(name, text)
    said = node.run(AFTER_BOOT)
    assert said == "the machine was started anew\n" + said.split("\n", 1)[1]
    assert "the new API server is ready\nstatus 0\n" in said
    assert node.manifest.read_text() == "new manifest"
    assert node.journal.exists(), "the next run reports"


@pytest.mark.parametrize("at", [*FROM_SWAP, "put-back"])
def test_what_no_api_server_starts_with_is_put_back(node: Node, at: str) -> None:
    node.write_journal(at, boot="another")
    node.manifest.write_text("new manifest")
    node.policy.write_text("new policy")
    node.says("healthy")
    said = node.run(AFTER_BOOT)
    assert "the earlier manifest and policy are back, and their API server is ready\nstatus 0\n" in said
    assert node.entries()["step"] == "restored"
    assert (node.manifest.read_text(), node.policy.read_text()) == ("old manifest", "old policy")
    node.says("new-runs")
    assert "guard: the earlier manifest and policy are back" in node.enable(5)


def test_it_fails_to_be_tried_again_while_no_api_server_gets_ready(node: Node) -> None:
    node.write_journal("old-gone", boot="another")
    assert node.run(AFTER_BOOT).endswith("status 1\n")
    assert node.manifest.read_text() == "old manifest"
    node.says("healthy")
    assert node.run(AFTER_BOOT).endswith("status 0\n")
    assert node.entries()["step"] == "restored"


@pytest.mark.parametrize("at", STEPS[: STEPS.index("swap")])
def test_a_canary_that_was_left_is_taken_away_and_no_file_is_touched(node: Node, at: str) -> None:
    (node.folder / "kube-apiserver-canary.yaml").write_text("the canary")
    node.write_journal(at, boot="another", canary_port="16443")
    assert "no file had been changed" in node.run(AFTER_BOOT)
    assert not (node.folder / "kube-apiserver-canary.yaml").exists()
    assert node.manifest.read_text() == "old manifest"


def test_a_change_of_after_the_boot_and_one_that_has_ended_are_left_alone(node: Node) -> None:
    node.write_journal("swap")
    assert node.run(AFTER_BOOT) == "status 0\n"
    assert node.entries()["processes"] == "11 "
    node.journal.unlink()
    assert node.run(AFTER_BOOT) == "status 0\n"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
def test_systemd_finds_nothing_wrong_with_it(node: Node, tmp_path: Path) -> None:
    (tmp_path / "state/node.sh").touch()
    node.run(f"{SYSTEMD}install_recovery")
    unit = tmp_path / "units" / UNIT
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, complaints(verified.stderr)) == (0, [])
    unit.write_text(unit.read_text().replace("Type=exec", "Type=nonsense"))
    broken = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert complaints(broken.stderr) != []


def complaints(printed: str) -> list[str]:
    """What systemd-analyze says of this unit; it reads the machine's others too."""
    return re.findall(rf".*{re.escape(UNIT)}.*", printed)
