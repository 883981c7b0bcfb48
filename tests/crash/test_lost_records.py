"""Records of the node's scripts that a power cut left empty, or half of them: recognised, mended, and never obeyed.

The scripts of this version sync each record before they rename it. Those before them did not, so nodes may have such.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.disk import FILE_SYSTEMS, Disk
from tests.crash.invariants import contents, not_given_back
from tests.crash.node import CrashNode
from tests.crash.operations import FIRST
from tests.crash.stack import CrashStack
from tests.unit.manifest.kubeadm_files import CLUSTER_CONFIGURATION

_UNSYNCED_ONCE = (
    "owner",
    "owned",
    "paths",
    "owned-kubeadm-config",
    "written/manifest",
    "written/policy",
    "written/webhook",
    "written/kubeadm-config",
    "node.sh",
    "facts",
)
_HOW: dict[str, Callable[[bytes], bytes]] = {"empty": lambda _: b"", "half": lambda text: text[: len(text) // 2]}


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> CrashStack:
    """The stack of a node that has had its ``up``. The disk has no fault here: it is a folder."""
    node = _node(tmp_path_factory.mktemp("audited"))
    node.disk.folder.mkdir()
    node.install()
    stack = CrashStack(node, FIRST)
    ran = stack.up()
    assert ran.status == 0, ran.printed
    return stack


@pytest.mark.parametrize(
    ("lost", "how"),
    [
        (_UNSYNCED_ONCE, "empty"),
        (("owner", "paths"), "half"),
        *(pytest.param((name,), how, marks=pytest.mark.exhaustive) for name in _UNSYNCED_ONCE for how in _HOW),
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
def test_records_that_are_lost_are_mended_and_the_node_is_given_back(
    audited: CrashStack, lost: tuple[str, ...], how: str, tmp_path: Path
) -> None:
    stack = _copy(audited, tmp_path)
    for name in lost:
        record = stack.node.state / name
        record.write_bytes(_HOW[how](record.read_bytes()))
    ran = stack.up()
    assert ran.status == 0, ran.printed
    assert stack.changes() == []
    assert (stack.node.state / "owner").read_text() == "kubernetes-audit/test\n"
    _gives_back(stack)


def test_an_empty_journal_is_no_reason_to_touch_files(audited: CrashStack, tmp_path: Path) -> None:
    stack = _copy(audited, tmp_path)
    manifest = stack.node.manifest.read_bytes()
    (stack.node.state / "journal").touch()
    ran = stack.up()
    assert ran.status == 0, ran.printed
    assert stack.node.manifest.read_bytes() == manifest
    assert not (stack.node.state / "journal").exists()
    _gives_back(stack)


def test_what_removal_gives_back_comes_from_the_archive_where_the_copy_is_lost(
    audited: CrashStack, tmp_path: Path
) -> None:
    stack = _copy(audited, tmp_path)
    (stack.node.state / "before/kube-apiserver.yaml").write_text("")
    assert stack.changes() == []
    _gives_back(stack)


@pytest.mark.parametrize("how", _HOW)
def test_a_command_of_a_script_that_is_not_whole_fails_and_says_so(
    audited: CrashStack, how: str, tmp_path: Path
) -> None:
    stack = _copy(audited, tmp_path)
    script = stack.node.state / "node.sh"
    whole = script.read_text()
    stack.settings = {**FIRST, "auditLog": {"maxAge": 7}}
    (name, inputs, text) = next(each for each in stack.changes() if each[0] == "cp1-manifest")
    for lines in (0, whole.count("\n") // 2, whole.count("\n") - 1) if how == "half" else (0,):
        script.write_text("".join(whole.splitlines(keepends=True)[:lines]))
        ran = stack.node.run(text, inputs["stdin"])
        assert ran.status != 0, (name, ran.printed)
        assert "nothing was done, because this script is not whole" in ran.printed
    ran = stack.up()
    assert ran.status == 0, ran.printed
    assert script.read_text() == whole
    assert "maxage=7" in stack.node.manifest.read_text()


def _gives_back(stack: CrashStack) -> None:
    original = _node(stack.node.ram.parent / "original")
    original.disk.folder.mkdir(parents=True)
    original.install()
    ran = stack.destroy()
    assert ran.status == 0, ran.printed
    assert [*not_given_back(stack.node, contents(original.kubernetes), CLUSTER_CONFIGURATION)] == []


def _node(folder: Path) -> CrashNode:
    node = CrashNode(Disk(FILE_SYSTEMS[0], folder / "image", folder / "disk"), folder / "memory")
    node.equip()
    return node


def _copy(stack: CrashStack, folder: Path) -> CrashStack:
    node = _node(folder)
    shutil.copytree(stack.node.disk.folder, node.disk.folder)
    node.remember(stack.node)
    return CrashStack(node, stack.settings, dict(stack.state))
