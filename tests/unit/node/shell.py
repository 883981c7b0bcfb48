"""Runs the node's shell functions in a folder of their own instead of /etc/kubernetes."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from auditlog.apiserver import node_scripts

LIBRARY = node_scripts.bundle().rsplit("command=$1\n", 1)[0]


def run(folder: Path, script: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Runs ``script`` after the library, with its folders below ``folder`` and ``folder/bin`` first in PATH."""
    home = shlex.quote(str(folder))
    paths = (
        f"STATE={home}/state ARCHIVE={home}/archive MANIFESTS={home} MANIFEST={home}/manifest PATH={home}/bin:$PATH\n"
    )
    return subprocess.run(
        ["sh", "-c", LIBRARY + paths + script], input=given, text=True, capture_output=True, check=False
    )
