"""What the machine must offer, checked before anything is made, and installed where that is possible."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.process import run

CNI_PLUGINS = Path("/usr/lib/cni")
_SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_POLICY = Path("/usr/sbin/policy-rc.d")


@dataclass(frozen=True, slots=True)
class Package:
    """A Debian package and the programs (names, or absolute paths) that show it is there."""

    name: str
    programs: tuple[str, ...]


PACKAGES = (
    Package("containerd", ("containerd", "ctr")),
    Package("runc", ("runc",)),
    Package("containernetworking-plugins", tuple(f"{CNI_PLUGINS}/{name}" for name in ("ptp", "host-local"))),
    Package("openssh-server", ("sshd",)),
    Package("openssh-client", ("ssh", "ssh-keygen")),
    Package("iproute2", ("ip", "tc")),
    Package("iptables", ("iptables",)),
    Package("conntrack", ("conntrack",)),
    Package("socat", ("socat",)),
    Package("ethtool", ("ethtool",)),
    Package("sudo", ("sudo",)),
    Package("util-linux", ("nsenter", "unshare", "setpriv")),
    Package("mount", ("mount",)),
    Package("procps", ("pgrep", "pkill")),
    Package("busybox-static", ("busybox",)),
    Package("ca-certificates", ("/etc/ssl/certs/ca-certificates.crt",)),
)
BALANCER = Package("haproxy", ("haproxy",))
PROMETHEUS = Package("prometheus", ("prometheus", "promtool"))
DISKS = (Package("e2fsprogs", ("mkfs.ext4",)), Package("xfsprogs", ("mkfs.xfs",)))
"""What tests make file systems with."""


@dataclass(frozen=True, slots=True)
class Host:
    """What was found of the machine; see ``obstacle`` for what each of them must be."""

    root_user: bool
    kernel_features: frozenset[str]
    """Of ``overlay``, ``cgroup`` (version 1 or 2 mounted) and ``namespaces``."""
    lab_file_system: str
    missing: tuple[str, ...]
    """Packages whose programs are not there."""
    has_apt: bool


def obstacle(host: Host) -> str | None:
    """The one line that says why the lab cannot run here and how to get it running, or None.

    Missing packages are no obstacle where apt can install them.
    """
    if not host.root_user:
        return "the lab makes namespaces, mounts and a bridge: run it as root (sudo -E env PATH=$PATH …)"
    if "namespaces" not in host.kernel_features:
        return "this kernel lacks network, mount, host-name or PID namespaces: run on a stock Debian kernel"
    if "cgroup" not in host.kernel_features:
        return "no cgroup controllers are mounted at /sys/fs/cgroup: run on a stock Debian or in a virtual machine"
    if "overlay" not in host.kernel_features:
        return "this kernel has no overlayfs: modprobe overlay, or run on a stock Debian kernel"
    if host.lab_file_system in ("overlay", "nfs", "9p", "fuse"):
        return f"the lab's folder is on {host.lab_file_system}: set LAB_ROOT to a folder on ext4 or xfs"
    if host.missing and not host.has_apt:
        return f"missing programs, install the packages that hold them: {' '.join(host.missing)}"
    return None


def prepare(lab_root: Path, *, balancer: bool = False, observability: bool = False) -> None:
    """Check the machine and install what is missing. Raises ``LabError`` with the one line of ``obstacle``.

    ``balancer`` is for a lab with several nodes, ``observability`` for what comes beside them.
    """
    packages = (*PACKAGES, *((BALANCER,) if balancer else ()), *((PROMETHEUS,) if observability else ()))
    host = inspect(lab_root, packages)
    reason = obstacle(host)
    if reason:
        raise LabError(reason)
    install_missing(packages)


def install_missing(packages: Sequence[Package]) -> None:
    """Install those of ``packages`` whose programs are not there. Raises ``LabError``."""
    missing = _missing(packages)
    if not missing:
        return
    print(f"installing Debian packages: {' '.join(missing)}", flush=True)
    _install(missing)
    left = _missing(packages)
    if left:
        raise LabError(f"still missing after apt-get install: {' '.join(left)}")


def inspect(lab_root: Path, packages: Sequence[Package] = PACKAGES) -> Host:
    """Look at the machine and for ``packages``; changes nothing but may load the overlay module."""
    return Host(
        root_user=os.geteuid() == 0,
        kernel_features=frozenset(_kernel_features()),
        lab_file_system=file_system_of(lab_root, Path("/proc/self/mountinfo").read_text()),
        missing=_missing(packages),
        has_apt=shutil.which("apt-get") is not None,
    )


def which(program: str) -> str | None:
    """The program's path; the system folders are searched too, which a user's PATH may lack."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SEARCH_PATH}")


def _missing(packages: Sequence[Package]) -> tuple[str, ...]:
    return tuple(
        package.name
        for package in packages
        if not all(
            Path(name).exists() if name.startswith("/") else which(name) is not None for name in package.programs
        )
    )


def _kernel_features() -> Iterator[str]:
    if all(Path(f"/proc/self/ns/{kind}").exists() for kind in ("net", "mnt", "uts", "pid")):
        yield "namespaces"
    if any(kind in ("cgroup", "cgroup2") for _, kind in _mounts(Path("/proc/self/mountinfo").read_text())):
        yield "cgroup"
    if not _knows_overlay() and which("modprobe"):
        run(["modprobe", "overlay"], check=False)
    if _knows_overlay():
        yield "overlay"


def _knows_overlay() -> bool:
    return "overlay" in Path("/proc/filesystems").read_text().split()


def _mounts(mountinfo: str) -> Iterator[tuple[str, str]]:
    """(mount point, file system type) of each line of a mountinfo file."""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if after:
            yield before.split()[4].replace("\\040", " "), after.split()[0]


def file_system_of(path: Path, mountinfo: str) -> str:
    """The file system type that holds ``path``, from the text of /proc/self/mountinfo; "" when none fits."""
    holder, kind = "", ""
    for point, candidate in _mounts(mountinfo):
        if path.is_relative_to(point) and len(point) >= len(holder):
            holder, kind = point, candidate
    return "fuse" if kind.startswith("fuse") else kind


def _install(packages: Sequence[str]) -> None:
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with _no_service_starts():
        if run(install, environment=quiet, check=False).returncode != 0:
            run(["apt-get", "update", "--quiet"], environment=quiet)
            run(install, environment=quiet)


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Keep freshly installed packages from starting their servers on the machine; a policy of its own is left alone."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)


def networks_in_use() -> list[str]:
    """The networks of the machine's own routes, as ``10.0.0.0/8``; the lab's subnet must not overlap one."""
    routes = run(["ip", "-4", "route", "show", "table", "all"]).stdout
    return sorted(_networks(routes.splitlines()))


def _networks(lines: Collection[str]) -> set[str]:
    return {
        word
        for line in lines
        for word in line.split()[:2]
        if word[0].isdigit() and word.replace(".", "").replace("/", "").isdigit()
    }
