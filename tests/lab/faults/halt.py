"""Stops the node's own scripts at one rename, so that a fault can be made there, and nowhere else, every time.

The transaction says where it is by renaming a new journal over the old one, and exchanges files through perl: the lab's
coreutils cannot. A folder of the node that is empty otherwise, and first in the PATH of a command run by sudo, gets a
program of that name. It waits, before or after one rename, until it is let go on. The product knows nothing of it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from lab.api import Node

Side = Literal["before", "after"]

# On the node's disk: what was reached has to be known after a power cut too.
_FOLDER = "var/lib/fault"
_SHIMS = "usr/local/sbin"
_TEXT = """\
#!/bin/sh
# Stands before the real {tool} during one test of the lab.
folder=/{folder}
the_one() {{
    for word in "$@"; do
        case $word in {pattern})
            if [ -z '{line}' ] || grep -qxF -e '{line}' "$word" 2>/dev/null; then
                mkdir "$folder/reached" 2>/dev/null && return 0
            fi ;;
        esac
    done
    return 1
}}
hold() {{
    echo $$ >"$folder/holder.new" && /bin/mv "$folder/holder.new" "$folder/reached/holder"
    until [ -e "$folder/released-$$" ] || [ -e "$folder/over" ]; do sleep 0.2; done
}}
if [ ! -e "$folder/over" ] && the_one "$@"; then
    [ {side} = after ] || hold
    /usr/bin/{tool} "$@"
    status=$?
    [ {side} = before ] || hold
    exit "$status"
fi
exec /usr/bin/{tool} "$@"
"""


@dataclass(frozen=True, slots=True)
class Rename:
    """A rename that a script makes.

    ``path`` is a shell pattern that one of its two paths matches, ``line`` a line that this file holds.
    ``tool`` is mv, or perl for an exchange.
    """

    path: str
    line: str = ""
    tool: Literal["mv", "perl"] = "mv"


class Running(Protocol):
    """What is under way beside the test."""

    def runs(self) -> bool: ...

    def output(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Halt:
    """A stop that is set on a node."""

    node: Node

    def wait(self, operation: Running, seconds: float = 480) -> None:
        """Until the script has come there. Fails with what the operation printed when it ends before."""
        deadline = time.monotonic() + seconds
        while not self._holder.exists():
            assert operation.runs(), f"ended before it came to the stop:\n{operation.output()}"
            assert time.monotonic() < deadline, f"did not come to the stop:\n{operation.output()}"
            time.sleep(0.05)

    def release(self) -> None:
        """Lets the script go on."""
        (self._folder / f"released-{self._holder.read_text().strip()}").touch()

    def release_until(self, rename: Rename, side: Side) -> None:
        """Lets the script go on to another stop."""
        released = self._folder / f"released-{self._holder.read_text().strip()}"
        _write_shim(self.node, rename, side)
        shutil.rmtree(self._holder.parent)
        released.touch()

    def kill(self) -> None:
        """Ends the waiting ``mv`` itself, without the rename it may be waiting to make: its script is gone."""
        self.node.run(f"kill -KILL {self._holder.read_text()}")

    @property
    def _folder(self) -> Path:
        return _root(self.node) / _FOLDER

    @property
    def _holder(self) -> Path:
        return self._folder / "reached/holder"


@contextmanager
def halted(node: Node, rename: Rename, side: Side) -> Iterator[Halt]:
    """Sets a stop on ``node`` at the first such rename from now on, and takes it away in the end."""
    folder = _root(node) / _FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _write_shim(node, rename, side)
    try:
        yield Halt(node)
    finally:
        (folder / "over").touch()
        for tool in ("mv", "perl"):
            (_root(node) / _SHIMS / tool).unlink(missing_ok=True)


def _write_shim(node: Node, rename: Rename, side: Side) -> None:
    staged = _root(node) / _FOLDER / "mv.new"
    text = _TEXT.format(folder=_FOLDER, pattern=rename.path, line=rename.line, side=side, tool=rename.tool)
    staged.write_text(text)
    staged.chmod(0o755)
    staged.replace(_root(node) / _SHIMS / rename.tool)


def _root(node: Node) -> Path:
    """The node's files as the machine sees them, also while the node is without power."""
    return node.paths.node(node.name)
