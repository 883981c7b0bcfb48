"""A Python environment with pinned requirements and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def install(environment: Path, requirements: Path, what: str) -> None:
    """Makes the environment, or leaves the one that was made from just these requirements. ``what`` is told."""
    done = environment / ".complete"
    if done.exists() and done.read_bytes() == requirements.read_bytes():
        return
    print(f"installing {what} into an environment of their own", flush=True)
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    pip = str(environment / "bin" / "pip")
    subprocess.run([pip, "install", "--quiet", "--require-hashes", "-r", str(requirements)], check=True)
    done.write_bytes(requirements.read_bytes())
