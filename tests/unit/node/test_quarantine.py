"""A stray manifest is moved aside as a step of the change, and comes back, byte for byte, where the change fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from auditlog.manifest.desired import sha256
from tests.unit.node.changed_node import STAND_INS, Node
from tests.unit.node.shell import run

NAMES = ("kube-apiserver.yaml.bak", "a copy")
TEXT = b"\xff a stray\n\0without an end"
GUARD = "guard worker=9:9 2>&1"
CLOSED = "is_listened_on() { false; }\n"


@pytest.fixture
def strays(node: Node) -> tuple[Path, ...]:
    """Two stray manifests, of mode 640 and an old date."""
    paths = tuple(node.folder / name for name in NAMES)
    for path in paths:
        path.write_bytes(TEXT)
        path.chmod(0o640)
        os.utime(path, (1, 12345))
    return paths


def as_read(*paths: Path) -> str:
    return "/".join(f"{path.name}@{int(path.stat().st_ctime)}" for path in paths)


def change(node: Node, quarantine: str, timeout: int = 5, **more: str) -> str:
    arguments = {"log": "/nowhere", "marker": "no", "owner": "stack", "restart": "no"} | more
    return (
        f"transaction enable {node.as_read} policy={node.policy} policy-desired={sha256('new policy')} arguments=a "
        f"arguments-before=b endpoint=e:1 timeout={timeout} 'quarantine={quarantine}' "
        f"{' '.join(f'{name}={value}' for name, value in arguments.items())} 2>&1"
    )


def archived(node: Node) -> dict[str, bytes]:
    found = (node.folder / "archive/stray-manifests").glob("*/*")
    return {path.name: path.read_bytes() for path in found}


def aside(node: Node) -> list[str]:
    folder = node.folder / "state/strays"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def are_back(strays: tuple[Path, ...]) -> bool:
    return all(
        path.is_file()
        and (path.read_bytes(), path.stat().st_mode & 0o777, path.stat().st_mtime) == (TEXT, 0o640, 12345)
        for path in strays
    )


def test_they_go_to_the_archive_when_the_change_has_ended_well(node: Node, strays: tuple[Path, ...]) -> None:
    node.says("new-runs")
    node.says("healthy")
    said = node.run(change(node, as_read(*strays)))
    assert "manifest: running and healthy" in said
    assert archived(node) == dict.fromkeys(NAMES, TEXT)
    assert f"quarantine: a copy is now {node.folder}/archive/stray-manifests/" in said
    assert not any(path.exists() for path in strays)
    assert not (node.folder / "state/strays").exists()


@pytest.mark.parametrize(
    "fault",
    ["kubelet_runs() { return 1; }", "back_up() { problem=full; return 1; }", "rehearse() { problem=no; return 1; }"],
)
def test_up_to_the_rehearsal_they_are_not_touched(node: Node, strays: tuple[Path, ...], fault: str) -> None:
    before = [path.stat() for path in strays]
    said = node.run(f"mode=seamless\n{fault}\n{change(node, as_read(*strays))}")
    assert "nothing was changed" in said
    assert [path.stat() for path in strays] == before


def test_they_come_back_when_the_change_fails(node: Node, strays: tuple[Path, ...]) -> None:
    node.says("healthy")
    said = node.run(change(node, as_read(*strays), timeout=0))
    assert are_back(strays)
    assert "quarantine: a copy is out of kubelet's way" in said
    assert f"put back: {node.folder}/a copy" in said
    assert (node.manifest.read_text(), archived(node), aside(node)) == ("old manifest", {}, [])
    assert node.entries() == {}


def test_one_that_cannot_be_moved_brings_the_other_back(node: Node, strays: tuple[Path, ...]) -> None:
    node.says("healthy")
    stuck = 'mv() { case $2 in */"a copy") return 1 ;; *) command mv "$@" ;; esac; }\n'
    said = node.run(stuck + change(node, as_read(*strays)))
    assert f"cannot move {node.folder}/a copy" in said
    assert are_back(strays)
    assert (node.manifest.read_text(), node.policy.read_text()) == ("old manifest", "old policy")


def test_one_that_changed_since_it_was_read_stops_the_change_before_it_begins(
    node: Node, strays: tuple[Path, ...]
) -> None:
    read = as_read(*strays)[:-1] + "x"
    new, policy = sha256("new manifest"), sha256("new policy")
    apply = (
        f"{STAND_INS}detached() {{ echo began; }}\n"
        f"apply_manifest {node.as_read} desired={new} policy={node.policy} policy-desired={policy} restart=no "
        f"arguments=a arguments-before=b endpoint=e timeout=5 log= marker=no owner=stack 'quarantine={read}' 2>&1"
    )
    said = run(node.folder, apply, "new manifest").stdout
    assert "a copy changed after it was read for this plan; run again" in said
    assert "began" not in said
    assert are_back(strays)


def test_a_writer_between_the_look_and_the_move_gets_the_file_back(node: Node, strays: tuple[Path, ...]) -> None:
    node.says("healthy")
    writes = 'mv() { case $2 in */"a copy") printf theirs >"$2" ;; esac; command mv "$@"; }\n'
    said = node.run(writes + change(node, as_read(*strays)))
    assert "a copy changed after it was read for this plan" in said
    assert [path.read_bytes() for path in strays] == [TEXT, b"theirs"]


def test_a_name_that_was_taken_meanwhile_stays_theirs_and_ours_is_kept(node: Node, strays: tuple[Path, ...]) -> None:
    node.says("healthy")
    comes = f"put_in_place() {{ echo theirs >'{strays[1]}'; problem=no; return 1; }}\n"
    said = node.run(comes + change(node, as_read(*strays)))
    assert strays[1].read_text() == "theirs\n"
    assert are_back(strays[:1])
    assert archived(node) == {"a copy": TEXT}
    assert "a copy is now" in said


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_the_guard_brings_back_what_had_been_moved(node: Node, strays: tuple[Path, ...], moved: int) -> None:
    """The worker died in the step: some are aside. The next run finds them as it had read them."""
    node.says("healthy")
    node.run(f"for_strays set_aside '{as_read(*strays[:moved])}'" if moved else ":")
    assert aside(node) == sorted(NAMES[:moved])
    node.write_journal("quarantine")
    said = node.run(GUARD)
    assert ("no file had been changed" in said) == (moved == 0)
    assert node.entries()["step"] == ("quarantine" if moved == 0 else "restored")
    assert are_back(strays)


@pytest.mark.parametrize("moved", [1, 2])
def test_after_a_power_cut_the_next_run_goes_on(node: Node, strays: tuple[Path, ...], moved: int) -> None:
    node.says("new-runs")
    node.says("healthy")
    node.run(f"for_strays set_aside '{as_read(*strays[:moved])}'")
    node.write_journal("quarantine")
    said = node.run(change(node, as_read(*strays[moved:]) or "none"))
    assert "manifest: running and healthy" in said
    assert archived(node) == dict.fromkeys(NAMES, TEXT)
    assert node.manifest.read_text() == "new manifest"


@pytest.mark.parametrize("purpose", ["enable", "remove"])
def test_an_archive_that_takes_none_keeps_them_for_the_next_run(
    node: Node, strays: tuple[Path, ...], purpose: str
) -> None:
    node.says("new-runs")
    node.says("healthy")
    full = 'mkdir() { case $* in *stray-manifests*) return 1 ;; *) command mkdir "$@" ;; esac; }\n'
    said = node.run(full + change(node, as_read(*strays)))
    assert "runs and is healthy, but" in said
    assert "Run again" in said
    assert aside(node) == sorted(NAMES)
    assert node.entries()["step"] == "finish"
    node.run(change(node, "none").replace("enable", purpose, 1))
    assert archived(node) == dict.fromkeys(NAMES, TEXT)
    assert node.entries() == {}


@pytest.mark.parametrize("listens", [True, False])
def test_where_all_else_is_in_order_kubelet_alone_ends_what_it_ran(
    node: Node, strays: tuple[Path, ...], listens: bool
) -> None:
    """Nothing is killed. What ran from the stray stops listening, which is waited for; the manifest's own stays."""
    node.manifest.write_text("new manifest")
    node.policy.write_text("new policy")
    node.says("pids", "11\n")
    node.says("new-runs")
    node.says("healthy")
    script = f"is_listened_on() {{ {'true' if listens else 'false'}; }}\n{change(node, as_read(*strays), timeout=0)}"
    said = node.run(script)
    assert not (node.folder / "state/killed").exists()
    if listens:
        assert "manifest: running and healthy" in said
        assert archived(node) == dict.fromkeys(NAMES, TEXT)
    else:
        assert "the old API server has not ended" in said
        assert are_back(strays)


def test_a_process_that_must_end_is_ended_all_the_same(node: Node, strays: tuple[Path, ...]) -> None:
    node.manifest.write_text("new manifest")
    node.policy.write_text("new policy")
    node.says("pids", "11\n")
    node.run(CLOSED + change(node, as_read(*strays), timeout=0, restart="11@1"))
    assert (node.folder / "state/killed").read_text() == "kill -TERM 11\n"


def test_one_that_is_gone_already_is_no_reason_to_do_anything(node: Node) -> None:
    node.says("new-runs")
    node.says("healthy")
    assert "manifest: running and healthy" in node.run(change(node, "gone.bak@1"))
    assert archived(node) == {}
