"""Runs programs and turns their failures into one message."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.errors import LabError


def run(
    arguments: Sequence[str | Path],
    *,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end with captured text output. It is killed when this process is.

    ``environment`` is added to this process's own. With ``check`` a failure raises ``LabError`` with the command
    and the last lines it wrote.
    """
    command = [str(argument) for argument in arguments]
    done = subprocess.run(
        # What outlives a killed `up` would go on making what `down` is removing.
        ["setpriv", "--pdeathsig=KILL", *command],
        input=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd=folder,
        env={**os.environ, **(environment or {})},
    )
    if check and done.returncode != 0:
        raise LabError(failure(command, done.returncode, done.stderr or done.stdout))
    return done


def failure(command: Sequence[str], code: int, output: str) -> str:
    """The message for a failed command: what was run (shortened), its exit code and its last lines."""
    shown = " ".join(command)
    if len(shown) > 200:
        shown = shown[:200] + " …"
    tail = "\n".join(f"    {line}" for line in output.strip().splitlines()[-15:])
    return f"{shown}: exit code {code}" + (f"\n{tail}" if tail else "")
