"""The files of the project that are no Python and that the library reads: audit policies and the nodes' shell.

They lie at the top of the repository, where people look for them. A wheel has them inside this package.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_INSTALLED = Path(__file__).resolve().parent
_REPOSITORY = _INSTALLED.parents[1]


def project_folder(name: Literal["annotations", "node", "policies"]) -> Path:
    """The folder of this name: of the installed package, else of the repository that this module lies in."""
    installed = _INSTALLED / name
    return installed if installed.is_dir() else _REPOSITORY / name
