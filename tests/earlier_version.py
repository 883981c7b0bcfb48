"""The project as an earlier version had it, out of the repository's history: states and nodes of it are out there."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from lab.paths import REPOSITORY

ROUND_ONE = "4ecdf31"
"""The last commit of the first round: no entry on the nodes, deletions without owner and entry."""


def earlier_version(folder: Path, commit: str = ROUND_ONE) -> Path:
    """The files of ``commit``, below ``folder``. Fails with the remedy where the history is not there."""
    archive = subprocess.run(["git", "archive", commit], cwd=REPOSITORY, capture_output=True, check=False)
    assert archive.returncode == 0, f"{commit} is not in this clone's history: git fetch --unshallow"
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder
