"""asyncssh, imported in two thirds of the time: every module takes it from here.

asyncssh looks for two optional C libraries. For each, ``ctypes`` on Linux asks the loader's cache, then a C compiler
and a linker, which takes 50 ms of every preview
(https://docs.python.org/3/library/ctypes.html#finding-shared-libraries). A library is in the cache, or in a folder of
LD_LIBRARY_PATH. Without that variable only the cache is asked here.
"""

from __future__ import annotations

import ctypes.util
import functools
import os
import re
import subprocess
import sys

_LDCONFIG = "/sbin/ldconfig"
_ORIGINAL = ctypes.util.find_library


@functools.cache
def loaders_cache() -> str | None:
    """What glibc's cache holds, a library a line; None without a cache, as with another C library."""
    try:
        asked = subprocess.run([_LDCONFIG, "-p"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return asked.stdout if asked.returncode == 0 else None


def find_library(name: str) -> str | None:
    """The file name of the library ``lib<name>``, as ``ctypes.util.find_library`` gives it; None if it is not there."""
    listed = loaders_cache()
    if listed is None:
        return _ORIGINAL(name)
    found = re.search(rf"^\s+(lib{re.escape(name)}\.so\S*) ", listed, re.MULTILINE)
    return found.group(1) if found else None


if sys.platform == "linux" and "LD_LIBRARY_PATH" not in os.environ:
    ctypes.util.find_library = find_library
try:
    import asyncssh
finally:
    ctypes.util.find_library = _ORIGINAL

__all__ = ["asyncssh"]
