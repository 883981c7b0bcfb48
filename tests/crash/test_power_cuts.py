"""Power cuts at every moment of what a stack does to a node, on the file systems that nodes have (docs/faults.md)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.crash.disk import FILE_SYSTEMS, Cut, Disk, FileSystem, shutdown_script
from tests.crash.experiment import Experiment, Tally
from tests.crash.operations import OPERATIONS, Operation

_BY_NAME = {operation.name: operation for operation in OPERATIONS}
_FIRST_UP, _UPDATE, _DESTROY = _BY_NAME["first up"], _BY_NAME["quick update"], _BY_NAME["destroy"]
# What `make test` cuts off: a moment of each kind.
_ONE_OF_EACH = (
    (_FIRST_UP, FILE_SYSTEMS[1], Cut.LOGGED, "mv /etc/kubernetes/audit-logging/owner"),
    # The policy was staged, and the stack was told so.
    (_UPDATE, FILE_SYSTEMS[0], Cut.BARE, "rm -f /etc/kubernetes/audit-logging/images"),
    # The manifest has been given back; the webhook's kubeconfig and the policy are still there.
    (_DESTROY, FILE_SYSTEMS[2], Cut.LOGGED, "mv -f /etc/kubernetes/audit-webhook.yaml"),
    # The policies that annotate have been exchanged, and the journal does not say so yet.
    (_BY_NAME["annotations changed"], FILE_SYSTEMS[1], Cut.LOGGED, "sync /etc/kubernetes/audit-annotations "),
)


@pytest.mark.parametrize(("operation", "file_system", "cut", "about"), _ONE_OF_EACH, ids=str)
def test_a_power_cut_of_each_kind(
    operation: Operation, file_system: FileSystem, cut: Cut, about: str, disks: Path, tally: Tally
) -> None:
    before = len(tally.broken)
    Experiment(operation, file_system, cut, disks, tally).at(about)
    assert tally.broken[before:] == []


@pytest.mark.parametrize(
    ("file_system", "cut", "broken"),
    [
        (FILE_SYSTEMS[0], Cut.BARE, "is to be done again"),
        (FILE_SYSTEMS[1], Cut.LOGGED, "is empty"),
        (FILE_SYSTEMS[2], Cut.LOGGED, "is empty"),
    ],
    ids=str,
)
def test_scripts_whose_sync_does_nothing_are_found_out(
    file_system: FileSystem, cut: Cut, broken: str, disks: Path
) -> None:
    """The control of all the tests here."""
    tally = Tally()
    Experiment(_FIRST_UP, file_system, cut, disks, tally, syncs=False).at_its_end()
    assert any(broken in each for each in tally.broken), tally.broken


@pytest.mark.exhaustive
@pytest.mark.timeout(14400)
@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
@pytest.mark.parametrize("cut", Cut, ids=lambda cut: cut.name)
@pytest.mark.parametrize("file_system", FILE_SYSTEMS, ids=str)
def test_a_power_cut_at_every_moment(
    file_system: FileSystem, cut: Cut, operation: Operation, disks: Path, tally: Tally
) -> None:
    before = len(tally.broken)
    Experiment(operation, file_system, cut, disks, tally).at_every_moment()
    assert tally.broken[before:] == []


@pytest.mark.parametrize(
    ("file_system", "unsynced"),
    [*zip(FILE_SYSTEMS, ("new\n", "", ""), strict=True)],
    ids=str,
)
def test_a_rename_that_is_not_synced_is_lost(file_system: FileSystem, unsynced: str, disks: Path) -> None:
    """The control: after a power cut it is the old record, or an empty one where its name reached the disk first. So it
    is on a copy of the disk.

    ext4 by itself writes the content before the name; with noauto_da_alloc it does not, and XFS does not either.
    """
    disk = Disk(file_system, disks / "image", disks / "disk")
    copied = Disk(file_system, disks / "copied", disks / "copy")
    record = disk.folder / "record"
    disk.make()
    for cut, synced, left in (
        (Cut.BARE, False, "old\n"),
        (Cut.LOGGED, False, unsynced),
        (Cut.BARE, True, "new\n"),
        (Cut.LOGGED, True, "new\n"),
    ):
        disk.mount()
        record.write_text("old\n")
        _run("sync", str(record), str(disk.folder))
        new = record.with_name("record.new")
        new.write_text("new\n")
        if synced:
            _run("sync", str(new))
        new.rename(record)
        if synced:
            _run("sync", str(disk.folder))
        _run("/bin/sh", "-c", f"{disk.copy_script(cut)} {copied.image}")
        _run(*shutdown_script(disk.folder, cut))
        disk.unmount()
        for found in (disk, copied):
            found.mount()
            assert (found.folder / record.name).read_text() == left, (cut, synced, found.image.name)
            found.unmount()


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
