"""Runs the package's plugin, for the language host: ``python package ENGINE``."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Python looks for modules in the folder that it is given, and the project is the one above.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

    from components.package import serve

    serve()
