"""The source of a program that is built without most of it: a module's source, less what ``trim.json`` names.

Of a program's source nothing is kept here. What a Go module of the lab says about it:

- ``trim.json`` has the checksum of the upstream module (``sum``, as in a go.sum), and the files and folders that are
  left out (``leave_out``). It also has lines that are dropped (``drop_lines``: by file, each line exactly once in it).
- The folder ``instead`` has files that replace the upstream's.

The module's go.mod has a ``replace`` that leads to the folder ``FOLDER``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.errors import LabError

TRIM = "trim.json"
INSTEAD = "instead"


def is_trimmed(module: Path) -> bool:
    """Whether the program of this module folder is built from a trimmed source."""
    return (module / TRIM).exists()


def source_folder(binaries: Path, name: str) -> Path:
    """Where the trimmed source of the tool ``name`` lies; go.mod says the same in relative terms."""
    return binaries / "source" / name


def make(module: Path, downloaded: dict[str, Any], target: Path) -> None:
    """Write the trimmed source to ``target``, in place of an earlier one.

    ``downloaded`` is what ``go mod download -json`` said. LabError when it is not the module that ``trim.json`` is
    about, or no longer has what that leaves out.
    """
    trim = json.loads((module / TRIM).read_text())
    if downloaded.get("Sum") != trim["sum"]:
        raise LabError(f"{module.name}: the module is {downloaded.get('Sum')}, and {TRIM} is about {trim['sum']}")
    shutil.rmtree(target, ignore_errors=True)
    _copy(Path(downloaded["Dir"]), target)
    for name in trim["leave_out"]:
        _leave_out(target / name, module)
    for name, lines in trim["drop_lines"].items():
        _drop_lines(target / name, lines, module)
    shutil.copytree(module / INSTEAD, target, dirs_exist_ok=True)


def _copy(source: Path, target: Path) -> None:
    # The module cache is read-only; copyfile leaves its permissions behind.
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        folder.chmod(0o755)


def _leave_out(path: Path, module: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()
    else:
        raise LabError(f"{module.name}: {TRIM} leaves out {path.name}, which the module does not have")


def _drop_lines(path: Path, lines: Sequence[str], module: Path) -> None:
    text = path.read_text().splitlines(keepends=True) if path.exists() else []
    for line in lines:
        if text.count(f"{line}\n") != 1:
            raise LabError(f"{module.name}: {TRIM} drops a line of {path.name} that is not once in it: {line.strip()}")
        text.remove(f"{line}\n")
    path.write_text("".join(text))
