"""A disk of its own whose power can be cut: a file system in a file, shut down without writing what it still holds.

``FS_IOC_SHUTDOWN`` (linux/fs.h; ioctl_xfs_goingdown(2)) stops a mounted file system at once: what
was not synced is lost, as when the power goes. The loop device below it goes on, so what had reached it stays. A copy
of its file is the same disk, and what runs on the file system goes on: one run is enough for every moment.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

SHUTDOWN = 0x8004587D
"""``_IOR('X', 125, __u32)``"""


class Cut(Enum):
    """What of the file system's own log still reaches the disk when it stops. Data that was not synced never does.

    ``BARE``: nothing. ``LOGGED``: all of it, so that names are there whose content is not.
    """

    BARE = 2
    LOGGED = 1


@dataclass(frozen=True, slots=True)
class FileSystem:
    """How it is made and mounted. ``megabytes`` is what its image may grow to."""

    name: str
    make: tuple[str, ...]
    options: str
    megabytes: int

    def __str__(self) -> str:
        return self.name


# A commit every five minutes in place of every five seconds: nothing reaches the disk by chance.
_EXT4 = ("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0")
FILE_SYSTEMS = (
    FileSystem("ext4", _EXT4, "loop,commit=300", 48),
    FileSystem("ext4,noauto_da_alloc", _EXT4, "loop,commit=300,noauto_da_alloc", 48),
    FileSystem("xfs", ("mkfs.xfs", "-q"), "loop,nouuid", 300),
)


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system in the file ``image``, mounted at ``folder`` while it has power."""

    file_system: FileSystem
    image: Path
    folder: Path

    def make(self) -> None:
        self.image.unlink(missing_ok=True)
        with self.image.open("wb") as image:
            image.truncate(self.file_system.megabytes << 20)
        _run(*self.file_system.make, str(self.image))

    def mount(self) -> None:
        """A copy of the image takes its place first: a mount namespace of somebody else may still hold what was shut
        down, and the kernel would give it out again. Nothing writes to that any more."""
        fresh = self.image.with_suffix(".fresh")
        _run("cp", "--sparse=always", str(self.image), str(fresh))
        fresh.replace(self.image)
        self.folder.mkdir(exist_ok=True)
        _run("mount", "-o", self.file_system.options, str(self.image), str(self.folder))

    def unmount(self) -> None:
        """With all that was written, unless it was shut down."""
        subprocess.run(["sync", "--file-system", str(self.folder)], capture_output=True, check=False)
        _run("umount", str(self.folder))

    def release(self) -> None:
        """Unmounts it where a test that failed has left it."""
        if self.folder.is_mount():
            self.unmount()

    def copy_script(self, cut: Cut) -> str:
        """The command that copies the mounted disk as ``cut`` would leave it; the copy's path comes behind it.

        A synced file takes the file system's whole log to the disk, and nobody else's content (ext4, fs/ext4/fsync.c:
        the transaction that is open; XFS, fs/xfs/xfs_file.c: the log up to it).
        """
        log = shlex.quote(str(self.folder / "log-is-written"))
        first = f"echo >>{log} && /usr/bin/sync {log} && " if cut is Cut.LOGGED else ""
        return f"{first}/usr/bin/cp --sparse=always {shlex.quote(str(self.image))}"

    def copy_of(self, other: Disk) -> None:
        """Becomes what ``other`` is. Neither is mounted."""
        _run("cp", "--sparse=always", str(other.image), str(self.image))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def shutdown_script(folder: Path, cut: Cut) -> Sequence[str]:
    """The command that cuts the power of what is mounted at ``folder``."""
    code = (
        "import fcntl, os, struct, sys\n"
        f"fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), {SHUTDOWN:#x}, struct.pack('I', int(sys.argv[2])))"
    )
    return ["/usr/bin/env", "python3", "-I", "-S", "-c", code, str(folder), str(cut.value)]
