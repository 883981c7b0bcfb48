"""Runs the node's shell functions in a folder of their own instead of /etc/kubernetes.

The machine that runs the tests is no node: its processes, its firewall and the logs of its pods are not read. A disk
that others keep busy does not slow the tests down, because nothing is flushed to it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from auditlog.nodes import node_scripts

LIBRARY = node_scripts.bundle().rsplit("command=$1\n", 1)[0]
# The library's own exchange under another name, for tests that put their own in its place and call it from there.
REAL_EXCHANGE = "real_" + re.findall(r"^exchange\(\) \{\n.*?^\}\n", LIBRARY, re.MULTILINE | re.DOTALL)[0]
# A folder of other tools, such as the links that `busybox --install -s FOLDER` makes, and its end in a PATH.
TOOLS = f"{os.environ['NODE_TOOLS']}:" if "NODE_TOOLS" in os.environ else ""
_FIREWALL = ("iptables", "ip6tables", "nft")
# dirname and basename take the shell a process each, fifty in one change of a node. until_it COMMAND...: tries it for
# up to two minutes.
_FAKES = """
until_it() { tries=2400; until "$@" || [ "$tries" = 0 ]; do tries=$((tries - 1)); command sleep 0.05; done; }
sync() { :; }
processes_named() { :; }
kubelet_runs() { return 1; }
find() { case $1 in /var/log/pods) ;; *) command find "$@" ;; esac; }
dirname() { case $1 in /*/*) printf '%s\\n' "${1%/*}" ;; *) command dirname "$1" ;; esac; }
basename() { printf '%s\\n' "${1##*/}"; }
"""


def run(folder: Path, script: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Runs ``script`` after the library, with its folders below ``folder`` and ``folder/bin`` first in PATH."""
    home = shlex.quote(str(folder))
    paths = (
        f"STATE={home}/state ARCHIVE={home}/archive MANIFESTS={home} MANIFEST={home}/manifest UNITS={home}/units "
        f"ADMISSION={home}/admission AUTHORITY={home}/ca.crt PATH={home}/bin:{TOOLS}$PATH\n"
    )
    firewall = "".join(f"{tool}() {{ return 1; }}\n" for tool in _FIREWALL if not (folder / "bin" / tool).exists())
    # The library alone is about as long as a command's argument may be.
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(LIBRARY + paths + _FAKES + firewall + script)
        file.flush()
        return subprocess.run(
            [shutil.which("sh", path=f"{TOOLS}/usr/bin") or "sh", file.name],
            input=given,
            text=True,
            capture_output=True,
            check=False,
        )
