"""A cgroup per node in every hierarchy: where its processes are found, counted and ended. cgroup v1 and v2."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from lab.errors import LabError

_SYSTEM = "system"
_V2_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "hugetlb", "pids")
# To the machine's scheduler a cgroup is one contender however many processes are in it: by default all of a node gets
# what a single compiler gets, and etcd misses its deadlines as soon as a few of those run.
_SHARE = {"cpu.shares": "8192", "cpu.weight": "800"}
_KUBELET_NEEDS = frozenset({"cpuset", "cpu", "memory", "pids"})


def hierarchies(mountinfo: str) -> list[Path]:
    """The cgroup mount points named by the text of /proc/self/mountinfo, each once, in its order."""
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if after.split(" ")[0] in ("cgroup", "cgroup2"):
            found.append(Path(before.split()[4]))
    return list(dict.fromkeys(found))


def _mounted() -> list[Path]:
    return hierarchies(Path("/proc/self/mountinfo").read_text())


def _below(hierarchy: Path, cgroup: str) -> Path:
    return hierarchy / cgroup.lstrip("/")


def make(cgroup: str) -> list[Path]:
    """Make the node's cgroup, with a child for what is not a pod, in every hierarchy.

    Returns the ``cgroup.procs`` files which the node's first process has to join. ``LabError`` where cgroup v2 cannot
    hand kubelet the controllers it needs.
    """
    joins = []
    for hierarchy in _mounted():
        node = _below(hierarchy, cgroup)
        for folder in (node, node / _SYSTEM):
            folder.mkdir(exist_ok=True)
            _fill_cpuset(folder)
            if folder is node:
                # On v2 a child has the controllers its parents hand down; kubelet refuses a root without them.
                _hand_down(hierarchy)
                _hand_down(node)
                reason = withheld(hierarchy, _controllers(hierarchy), _controllers(node))
                if reason:
                    raise LabError(reason)
                _weigh(node)
        joins.append(node / _SYSTEM / "cgroup.procs")
    return joins


def _fill_cpuset(folder: Path) -> None:
    """A new v1 cpuset is empty and takes no process until it has processors and memory nodes."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        own = folder / name
        if own.exists() and not (folder / "cgroup.controllers").exists() and not own.read_text().strip():
            own.write_text((folder.parent / name).read_text())


def _weigh(folder: Path) -> None:
    for name, share in _SHARE.items():
        if (folder / name).exists():
            (folder / name).write_text(share)


def _controllers(folder: Path) -> frozenset[str]:
    """The v2 controllers a cgroup has; none in a v1 hierarchy."""
    listing = folder / "cgroup.controllers"
    return frozenset(listing.read_text().split()) if listing.exists() else frozenset()


def withheld(hierarchy: Path, offered: frozenset[str], received: frozenset[str]) -> str | None:
    """The one line for controllers that a v2 hierarchy has but a cgroup right below it did not get, or None.

    The kernel hands none down from a cgroup that holds processes and is not the real root, as in a container.
    """
    lost = (offered & _KUBELET_NEEDS) - received
    if not lost:
        return None
    return (
        f"{hierarchy} does not hand down {', '.join(sorted(lost))}: a container's own cgroup with processes in it; "
        f"move them to a child (mkdir {hierarchy}/init, write each id to its cgroup.procs) or use a virtual machine"
    )


def _hand_down(folder: Path) -> None:
    for controller in _controllers(folder) & set(_V2_CONTROLLERS):
        with contextlib.suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def processes(cgroup: str) -> set[int]:
    """The ids of all processes in the node's cgroup and below, in any hierarchy."""
    found: set[int] = set()
    for hierarchy in _mounted():
        # Pods come and go meanwhile: os.walk passes over a folder that is no more, Path.rglob does not.
        for folder, _, _ in os.walk(_below(hierarchy, cgroup)):
            with contextlib.suppress(OSError):
                found.update(int(line) for line in Path(folder, "cgroup.procs").read_text().split())
    return found


def end_all(cgroup: str, *, timeout: float = 60) -> None:
    """Kill every process of the node and remove its cgroups. ``LabError`` when one does not end in ``timeout`` s."""
    deadline = time.monotonic() + timeout
    while running := processes(cgroup):
        if time.monotonic() > deadline:
            raise LabError(f"processes of cgroup {cgroup} do not end: {sorted(running)}")
        for pid in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    for hierarchy in _mounted():
        _remove(_below(hierarchy, cgroup), deadline)


def _remove(folder: Path, deadline: float) -> None:
    if not folder.is_dir():
        return
    for child in folder.iterdir():
        if child.is_dir():
            _remove(child, deadline)
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            # The kernel lets go of a cgroup a moment after its last process.
            if time.monotonic() > deadline:
                raise LabError(f"cannot remove cgroup {folder}: {error}") from error
            time.sleep(0.05)
        else:
            return
