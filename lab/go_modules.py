"""``python -m lab.go_modules vet|test``: the checks of the Go code that is the project's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.build import find_go, go_environment
from lab.paths import MODULES
from lab.trimmed import is_trimmed


def own_modules() -> list[Path]:
    """The module folders that hold code of the project's own, and not only pins of somebody else's programs.

    What is built from a trimmed source is not among them: it compiles where that has been made, in a build.
    """
    folders = (file.parent for file in MODULES.glob("*/go.mod"))
    return sorted(folder for folder in folders if _own_files(folder) and not is_trimmed(folder))


def modules_with_tests() -> list[Path]:
    """Those that have tests."""
    return [folder for folder in own_modules() if any(folder.rglob("*_test.go"))]


def check(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Runs ``go vet`` (with gofmt) or ``go test`` in one module; both streams together.

    Flags and environment are the build's, so that what it has compiled is not compiled once more: the Kubernetes
    provider alone takes ten minutes.
    """
    go = find_go()
    if command == "vet":
        unformatted = subprocess.run(
            [go.with_name("gofmt"), "-l", "."], cwd=folder, text=True, capture_output=True, check=True
        ).stdout
        if unformatted:
            return subprocess.CompletedProcess(["gofmt"], 1, f"not as gofmt writes it:\n{unformatted}")
    return subprocess.run(
        [go, command, "-trimpath", "./..."],
        cwd=folder,
        env={**os.environ, **go_environment()},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def main(arguments: Sequence[str]) -> int:
    """Checks every own module; gives the exit code."""
    if list(arguments) not in (["vet"], ["test"]):
        print("usage: python -m lab.go_modules vet|test", file=sys.stderr)
        return 2
    failed = 0
    for folder in own_modules() if arguments[0] == "vet" else modules_with_tests():
        result = check(folder, arguments[0])
        print(f"go {arguments[0]} {folder.name}: {'ok' if result.returncode == 0 else 'FAILED'}", flush=True)
        if result.returncode != 0:
            print(result.stdout)
            failed = 1
    return failed


def _own_files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*.go") if file.name != "tools.go"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
