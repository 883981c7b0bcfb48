"""``python -m lab.workflows``: the GitHub Actions workflows, checked by actionlint."""

from __future__ import annotations

import subprocess
import sys

from lab import build
from lab.paths import REPOSITORY, Paths
from lab.tools import Tool

ACTIONLINT = Tool(
    name="actionlint",
    module="actionlint",
    package="github.com/rhysd/actionlint/cmd/actionlint",
    upstream="github.com/rhysd/actionlint",
)


def main() -> int:
    """Builds actionlint where it is missing; gives its exit code."""
    paths = Paths.of()
    build.build(paths, [ACTIONLINT])
    return subprocess.run([ACTIONLINT.path(paths)], cwd=REPOSITORY, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
