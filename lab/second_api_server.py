"""A second API server on a node, beside the static pod and on the same etcd."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from auditlog.manifest import manifest
from auditlog.node_paths import MANIFEST
from auditlog.nodes.second_api_server import PORTS
from lab.api import Node
from lab.errors import LabError

_START_SECONDS = 120
# Two on one etcd must not both write the endpoints of the `kubernetes` service.
_ALWAYS = {"secure-port": str(PORTS[0]), "endpoint-reconciler-type": "none"}


@contextmanager
def second_api_server(node: Node, folder: str, files: Mapping[str, str], flags: Mapping[str, str]) -> Iterator[int]:
    """The static pod's own program and arguments, with ``flags`` (names without dashes) over them; gives its process.

    ``folder`` on the node has the program and ``files`` (name to text), and is removed at the end. Raises LabError with
    its last words when it does not get ready.
    """
    wanted = {**_ALWAYS, **flags}
    written = manifest.arguments(node.run(f"cat {MANIFEST}").stdout)[1:]
    kept = [argument for argument in written if argument[2:].split("=")[0] not in wanted]
    program = f"{folder}/kube-apiserver"
    command = shlex.join([program, *kept, *(f"--{name}={value}" for name, value in wanted.items())])
    node.run(f"rm -rf {folder}; mkdir -p {folder}; cp /proc/$(pgrep -o -x kube-apiserver)/exe {program}")
    for name, text in files.items():
        node.run(f"cat >{folder}/{name} <<'EOF'\n{text}EOF\n")
    process = int(node.run(f"setsid {command} >{folder}/output 2>&1 </dev/null & echo $!").stdout)
    try:
        _await_ready(node, folder, process)
        yield process
    finally:
        node.run(f"kill -KILL {process}; rm -rf {folder}", check=False)


def _await_ready(node: Node, folder: str, process: int) -> None:
    asked = f"curl -sk -o /dev/null -w '%{{http_code}}' https://localhost:{PORTS[0]}/readyz"
    deadline = time.monotonic() + _START_SECONDS
    while node.run(asked, check=False).stdout != "200":
        runs = node.run(f"kill -0 {process}", check=False).returncode == 0
        if not runs or time.monotonic() > deadline:
            said = node.run(f"tail -n 5 {folder}/output").stdout
            raise LabError(f"the second API server is not ready:\n{said}")
        time.sleep(0.5)
