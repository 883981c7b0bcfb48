"""Faults of the file system of ``/etc/kubernetes``: one of its own, which fills, turns read-only, or loses power."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import host
from lab.api import Node
from tests.crash.disk import SHUTDOWN, Cut, Disk, FileSystem
from tests.lab.faults.machine import cut_power, stopped_kubelet

_FOLDER = "/etc/kubernetes"
_FILLER = f"{_FOLDER}/.filler"
BLOCK = 4096
"""Bytes in a block: what a write takes at least."""


@dataclass(frozen=True, slots=True)
class SmallFileSystem:
    """``/etc/kubernetes`` on a file system of its own."""

    node: Node

    def fill(self, free_blocks: int = 0) -> None:
        """Leaves room for that many blocks and no more."""
        self.node.run(
            f"rm -f {_FILLER}; free=$(stat -f -c %a {_FOLDER}); "
            f"head -c $(((free - {free_blocks}) * {BLOCK})) /dev/zero >{_FILLER}"
        )

    def free_blocks(self) -> int:
        return int(self.node.run(f"stat -f -c %a {_FOLDER}").stdout)

    def empty(self) -> None:
        """Room again."""
        self.node.run(f"rm -f {_FILLER}")

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Nothing can be written, made, renamed or removed, as after an error of the disk.

        The kernel turns no file system read-only while files on it are open to be written, as the scripts have some: a
        read-only view of it comes over it, and what was open before stays open.
        """
        self.node.run(f"mount --bind {_FOLDER} {_FOLDER} && mount -o remount,bind,ro {_FOLDER}")
        try:
            yield
        finally:
            self.node.run(f"umount --lazy {_FOLDER}")


@contextmanager
def small_file_system(node: Node) -> Iterator[SmallFileSystem]:
    """Puts ``/etc/kubernetes`` on two megabytes. kubelet starts anew on it; the pods, being the same, go on."""
    beside = "/run/small"
    with stopped_kubelet(node):
        node.run(
            f"mkdir {beside} && mount -t tmpfs -o size=2m,mode=755 tmpfs {beside} && cp -a {_FOLDER}/. {beside}/ &&"
            f" mount --bind {beside} {_FOLDER} && umount {beside} && rmdir {beside}"
        )
    try:
        yield SmallFileSystem(node)
    finally:
        # Containers that were started on it keep it until they end.
        with stopped_kubelet(node):
            node.run(f"umount --lazy {_FOLDER}")


@dataclass(frozen=True, slots=True)
class LosingDisk:
    """``/etc/kubernetes`` on a disk that loses what was not synced when the power is cut."""

    node: Node
    disk: Disk

    def lose_power(self, cut: Cut) -> None:
        """Stops the file system, then the node. What its disk holds is what the node finds when it has power again."""
        self.node.run(
            f"perl -e 'sysopen(my $folder, q({_FOLDER}), 0) or die $!;"
            f' my $cut = pack("L", {cut.value}); ioctl($folder, {SHUTDOWN:#x}, $cut) or die $!\''
        )
        cut_power(self.node)
        self.disk.mount()
        try:
            kept = self.node.paths.node(self.node.name) / _FOLDER.removeprefix("/")
            subprocess.run(["find", str(kept), "-mindepth", "1", "-delete"], check=True)
            subprocess.run(["cp", "-a", f"{self.disk.folder}/.", str(kept)], check=True)
        finally:
            self.disk.unmount()


@contextmanager
def losing_disk(node: Node, file_system: FileSystem, folder: Path) -> Iterator[LosingDisk]:
    """Puts ``/etc/kubernetes`` on such a disk until the node loses power. ``folder`` is where the machine mounts it."""
    host.install_missing(host.DISKS)
    image = node.paths.node(node.name) / "var/lib/kubernetes.img"
    disk = Disk(file_system, image, folder)
    disk.make()
    with stopped_kubelet(node):
        node.run(
            f"mkdir /run/losing && mount -o {file_system.options} /var/lib/{image.name} /run/losing &&"
            f" cp -a {_FOLDER}/. /run/losing/ && sync -f /run/losing && mount --bind /run/losing {_FOLDER}"
        )
    try:
        yield LosingDisk(node, disk)
    finally:
        image.unlink()
