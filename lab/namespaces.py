"""Starts what lives in separate namespaces, finds it again, and leads into it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from lab import cgroups, go_runtime
from lab.errors import LabError
from lab.paths import NODE_FILES
from lab.state import Member

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def launch(member: Member, unshare: Sequence[str], command: Sequence[str | Path], log: Path) -> int:
    """Start ``command`` in the member's cgroups and in new namespaces, as process 1 of a PID namespace.

    ``unshare`` are the options for the namespaces besides ``--net`` and ``--pid``. What it says goes to ``log``.
    Gives the process id that holds the namespaces. ``LabError`` with the last lines of ``log`` when it does not start.
    """
    # What a start that was cut short may have left would hold the address.
    cgroups.end_all(member.cgroup)
    joins = cgroups.make(member.cgroup)
    spread = ["unshare", "--net", "--pid", "--fork", "--kill-child", *unshare]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        started = subprocess.Popen(
            [NODE_FILES / "enter", *joins, "--", *spread, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={"PATH": _PATH, "LANG": "C.UTF-8", **go_runtime.variables()},
        )
    deadline = time.monotonic() + 60
    while (pid := holder(member)) is None:
        if started.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace").strip().splitlines()[-5:]
            raise LabError(f"{member.name} did not start: {' / '.join(said) or 'it said nothing'}")
        time.sleep(0.05)
    return pid


def holder(member: Member) -> int | None:
    """The machine's id of the member's process 1, through which its namespaces are entered; None when it is down."""
    for pid in sorted(cgroups.processes(f"{member.cgroup}/system")):
        if _ids_by_namespace(pid)[1:] == [1]:
            return pid
    return None


def _ids_by_namespace(pid: int) -> list[int]:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return []
    line = next((line for line in status.splitlines() if line.startswith("NSpid:")), "NSpid:")
    return [int(word) for word in line.split()[1:]]


def inside(pid: int, user: str = "root") -> list[str]:
    """The command words that lead into the namespaces of the node held by ``pid``, as ``user``."""
    words = ["nsenter", f"--target={pid}", "--mount", "--uts", "--net", "--pid", "env", "--ignore-environment"]
    home = "/root" if user == "root" else f"/home/{user}"
    words += [f"PATH={_PATH}", f"HOME={home}", f"USER={user}", "LANG=C.UTF-8", f"TERM={os.environ.get('TERM', 'dumb')}"]
    if user != "root":
        words += ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
    return words
