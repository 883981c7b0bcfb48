"""Alloy's image for the nodes. Like the published one it has a shell, for the script that starts Alloy."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from lab.errors import LabError
from lab.images import Image
from lab.process import run

TOOLS = (
    *("bash", "cp", "cut", "date", "diff", "find", "grep", "head"),
    *("mv", "rm", "sleep", "sync", "tail", "touch", "wc"),
)
"""The programs that ``auditlog/observe/alloy_run.sh`` calls; the image has this machine's own."""

_LIBRARY = re.compile(r"(/\S+) \(0x")


def alloy_image(reference: str, alloy: Path) -> Image:
    """The image with this program, ``TOOLS``, and the libraries they load. LabError names a tool that is missing."""
    programs = {name: _found(name) for name in TOOLS}
    libraries = {library for program in programs.values() for library in _libraries(program)}
    files = {f"bin/{name}": program for name, program in programs.items()}
    files |= {library.lstrip("/"): Path(library) for library in libraries}
    return Image(reference, alloy, "bin/alloy", tuple(sorted(files.items())))


def _found(name: str) -> Path:
    program = shutil.which(name)
    if program is None:
        raise LabError(f"there is no {name} on this machine, which Alloy's image needs")
    return Path(program)


def _libraries(program: Path) -> list[str]:
    """Where the program's libraries are, its loader included, as ``ldd`` prints them; it fails for one without any."""
    return _LIBRARY.findall(run(["ldd", program], check=False).stdout)
