"""The commits that CONTRIBUTING names as examples, and the files that each shows.

A shallow clone has no history, so `commits.json` keeps the files. To remake it in a whole clone:

    .venv/bin/python -m tests.unit.docs.commits
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.paths import REPOSITORY

RECORD = Path(__file__).with_suffix(".json")


def named() -> dict[str, list[str]]:
    """Each commit's paths, as CONTRIBUTING has them; no path stands for the whole commit."""
    found = re.findall(r"`git show ([0-9a-f]{7})(?: -- ([^`]+))?`", (REPOSITORY / "CONTRIBUTING.md").read_text())
    return {commit: paths.split() for commit, paths in found}


def is_here(commit: str) -> bool:
    """Whether this clone has the commit."""
    return _git("cat-file", "-e", f"{commit}^{{commit}}").returncode == 0


def is_whole() -> bool:
    """Whether this is a clone with all of the history. CI systems cut it off, and an archive has none."""
    return _git("rev-parse", "--is-shallow-repository").stdout.strip() == "false"


def shown(commit: str, paths: Sequence[str]) -> list[str]:
    """The files that the commit added or changed below the paths."""
    return _git("show", "--name-only", "--diff-filter=d", "--format=", commit, "--", *paths).stdout.split()


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    RECORD.write_text(json.dumps({commit: shown(commit, paths) for commit, paths in named().items()}, indent=2) + "\n")
