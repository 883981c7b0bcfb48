"""What is wrong before anything is changed is refused with the reason, and nothing has happened to the node.

The stack is the same for all of them, as an operator's is who tries again; the last test is that ``up`` completes then.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab.faults.experiment import STATE, Experiment, Observed, write_manifest
from tests.lab.faults.filesystem import small_file_system
from tests.lab.faults.halt import Rename, halted
from tests.lab.faults.machine import missing_image, stopped_kubelet
from tests.lab.faults.operation import operation
from tests.lab.test_first_stack import ARCHIVE, LOG, MANIFEST

# What is refused is so before any restart; those of the last test are the plainest there are.
PLAIN = {"restart": "drain", "rehearsal": False}


@pytest.fixture(scope="module")
def refused(running_lab: Lab, baseline: Observed) -> Iterator[Experiment]:
    with Experiment.begin(running_lab, "faults-refused", baseline, PLAIN) as experiment:
        yield experiment


@pytest.mark.parametrize("name", ["kube-apiserver.yaml.bak", "before-the-weekend"])
def test_a_copy_beside_the_manifest(refused: Experiment, name: str) -> None:
    stray = f"/etc/kubernetes/manifests/{name}"
    refused.node.run(f"cp {MANIFEST} /etc/kubernetes/copy && mv /etc/kubernetes/copy {stray}")
    printed = refused.fails()
    assert f"{name} in /etc/kubernetes/manifests defines kube-apiserver too" in printed
    assert f"mv {stray} /etc/kubernetes/" in printed
    refused.node.run(f"rm {stray}")
    refused.nothing_happened()


def test_a_half_written_copy_beside_the_manifest(refused: Experiment) -> None:
    stray = f"{MANIFEST}.swp"
    refused.node.run(f"head -c 2000 {MANIFEST} >/etc/kubernetes/copy && mv /etc/kubernetes/copy {stray}")
    printed = refused.fails()
    assert "kube-apiserver.yaml.swp in /etc/kubernetes/manifests" in printed
    assert f"mv {stray} /etc/kubernetes/" in printed
    refused.node.run(f"rm {stray}")
    refused.nothing_happened()


def test_a_manifest_that_changed_after_it_was_read(refused: Experiment) -> None:
    original = refused.node.run(f"cat {MANIFEST}").stdout
    with halted(refused.node, Rename("*/node.sh"), "after") as halt, operation(refused.stack, "up") as up:
        halt.wait(up)
        write_manifest(refused.node, f"{original}# edited by hand\n")
        halt.release()
        assert f"{MANIFEST} changed after it was read for this plan" in up.fails()
    assert refused.node.run(f"cat {MANIFEST}").stdout == f"{original}# edited by hand\n"
    write_manifest(refused.node, original)
    refused.nothing_happened()


def test_a_second_change_at_the_same_time(refused: Experiment) -> None:
    with Experiment.begin(refused.lab, "faults-second", refused.before, PLAIN) as second:
        with halted(second.node, Rename("*/journal"), "after") as halt, operation(second.stack, "up") as up:
            halt.wait(up)
            assert "another change of this node is under way" in refused.fails()
            halt.release()
            up.succeeds()
        assert "belongs to the stack 'kubernetes-audit/faults-second'" in refused.fails("preview")
        # What the refused one left in its own state is taken away without harm to the other's.
        refused.completes("destroy")
        second.recovers_and_gives_back()
    refused.nothing_happened()


def test_a_read_only_or_full_file_system(refused: Experiment) -> None:
    with small_file_system(refused.node) as file_system:
        with file_system.read_only():
            assert "Read-only file system" in refused.fails()
        refused.nothing_happened()
        file_system.fill()
        assert "No space left on device" in refused.fails()
        refused.nothing_happened()
        file_system.empty()


def test_a_disk_too_small_for_the_log(refused: Experiment) -> None:
    folder = LOG.rpartition("/")[0]
    refused.node.run(f"mkdir -p {folder} && mount -t tmpfs -o size=4k tmpfs {folder}")
    try:
        assert "its file system has room for 0 MB" in refused.fails("preview")
    finally:
        refused.node.run(f"umount {folder}")
    refused.nothing_happened()


def test_a_full_file_system_that_is_the_archives_own(refused: Experiment) -> None:
    refused.node.run(f"mkdir -p {ARCHIVE} && mount -t tmpfs -o size=4k tmpfs {ARCHIVE}")
    refused.node.run(f"head -c 4096 /dev/zero >{ARCHIVE}/full")
    try:
        assert f"to {ARCHIVE}; nothing was changed" in refused.fails()
    finally:
        refused.node.run(f"umount {ARCHIVE}")
    refused.nothing_happened()


@pytest.mark.parametrize("name", ["kube-apiserver", "pause"])
def test_a_missing_image(refused: Experiment, name: str) -> None:
    with missing_image(refused.node, name) as reference:
        assert reference in refused.fails()
        refused.nothing_happened()


def test_a_stopped_kubelet(refused: Experiment) -> None:
    with stopped_kubelet(refused.node):
        assert "kubelet" in refused.fails()
    refused.nothing_happened()


def test_then_up_completes_over_the_half_written_files_of_earlier_runs(refused: Experiment) -> None:
    halves = ("staged/kube-apiserver.yaml", "staged/audit-policy.yaml", "journal.new", "owner.new", "node.sh.new")
    files = " ".join([*(f"{STATE}/{half}" for half in halves), "/etc/kubernetes/.audit-policy.yaml.kubernetes-audit"])
    refused.node.run(f"mkdir -p {STATE}/staged && for file in {files}; do printf 'api' >$file; done")
    refused.completes("up")
    refused.recovers_and_gives_back()
