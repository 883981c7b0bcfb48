"""How often Go's garbage collector runs in the lab's programs. ``make test`` sets GOGC for it.

Most of what a control plane does on a lab is to start. A start that collects less often takes a quarter less of a
processor. Benchmarks do not set it: they measure what a cluster has.
"""

from __future__ import annotations

import os

_VARIABLE = "GOGC"


def variables() -> dict[str, str]:
    """The variable if this process has it: https://pkg.go.dev/runtime#hdr-Environment_Variables"""
    return {_VARIABLE: os.environ[_VARIABLE]} if _VARIABLE in os.environ else {}
