"""What is said, in one line, about a machine on which the lab cannot run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.cgroups import hierarchies, withheld
from lab.host import Host, file_system_of, obstacle

GOOD = Host(
    root_user=True,
    kernel_features=frozenset({"overlay", "cgroup", "namespaces"}),
    lab_file_system="ext4",
    missing=(),
    has_apt=True,
)
MOUNTS = """\
22 27 0:21 / /proc rw - proc proc rw
27 1 254:0 / / rw - ext4 /dev/vda rw
31 23 0:28 / /sys/fs/cgroup rw shared:9 - tmpfs tmpfs rw
32 31 0:29 / /sys/fs/cgroup/cpu rw shared:10 master:1 - cgroup cgroup rw,cpu
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
50 27 0:40 / /home rw - fuse.sshfs host:/ rw
51 27 0:41 / /home/my\\040files rw - overlay overlay rw
"""


def test_a_good_machine_has_no_obstacle() -> None:
    assert obstacle(GOOD) is None
    assert obstacle(replace(GOOD, missing=("runc",))) is None


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (replace(GOOD, root_user=False), "run it as root"),
        (replace(GOOD, kernel_features=frozenset({"overlay", "cgroup"})), "namespaces"),
        (replace(GOOD, kernel_features=frozenset({"overlay", "namespaces"})), "/sys/fs/cgroup"),
        (replace(GOOD, kernel_features=frozenset({"cgroup", "namespaces"})), "modprobe overlay"),
        (replace(GOOD, lab_file_system="overlay"), "LAB_ROOT"),
        (replace(GOOD, missing=("runc", "socat"), has_apt=False), "runc socat"),
    ],
    ids=["no root", "no namespaces", "no cgroups", "no overlay", "overlay below", "no apt"],
)
def test_each_obstacle_is_one_line_that_says_what_to_do(host: Host, said: str) -> None:
    line = obstacle(host)
    assert line is not None
    assert said in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/src/.lab", "ext4"),
        ("/home/me/.lab", "fuse"),
        ("/homeless/.lab", "ext4"),
        ("/home/my files/.lab", "overlay"),
        ("/proc", "proc"),
    ],
)
def test_the_file_system_is_that_of_the_innermost_mount(path: str, kind: str) -> None:
    assert file_system_of(Path(path), MOUNTS) == kind


def test_cgroup_hierarchies_of_both_versions_are_found() -> None:
    assert [str(path) for path in hierarchies(MOUNTS)] == ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/unified"]


def test_controllers_that_a_container_keeps_to_itself_are_named() -> None:
    has = frozenset({"cpu", "cpuset", "memory", "pids", "io"})
    line = withheld(Path("/sys/fs/cgroup"), has, frozenset({"cpu", "pids"}))
    assert line is not None
    assert "cpuset, memory" in line
    assert "\n" not in line
    assert withheld(Path("/sys/fs/cgroup"), has, has - {"io"}) is None
    # Version 1 hierarchies, and a version 2 one beside them, have no controllers to hand down.
    assert withheld(Path("/sys/fs/cgroup/unified"), frozenset(), frozenset()) is None
