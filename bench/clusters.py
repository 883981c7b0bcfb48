"""What three clusters in one program take, beside one: previews by the real engine of nodes that answer slowly.

    python -m bench.clusters [--rounds 5] [--seconds 1]

The nodes are fakes behind SSH servers on this machine. Each takes ``--seconds`` to tell its facts, as one far away
or one under load does. Previews of one cluster and of three take turns, so both meet the same machine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pulumi
import pytest

from components.audit_logging import AuditLogging
from lab.paths import Paths
from tests.engine.engine_stack import EngineStack
from tests.engine.fake_node import fake_node
from tests.engine.ssh_server import SshServer, serving
from tests.unit.nodes.facts_output import facts_output
from tests.unit.plan.nodes import untouched

CLUSTERS = ("east", "north", "west")
_ANSWER = "cat >/dev/null; sleep {seconds}; cat facts"


def preview_seconds(stack: EngineStack, servers: Sequence[SshServer]) -> float:
    """How long a preview takes of a program with a cluster for each server. RuntimeError if it fails."""

    def program() -> None:
        for name, server in zip(CLUSTERS, servers, strict=False):
            node = {"name": "cp1", "host": server.host, "port": server.port, "user": "ops", "hostKey": server.host_key}
            key = pulumi.Output.secret(server.private_key)
            AuditLogging(name, {"cluster": name, "nodes": [node], "sshPrivateKey": key})

    began = time.monotonic()
    run = stack.preview(program)
    if run.error is not None:
        raise RuntimeError(run.error)
    return time.monotonic() - began


def environment(folder: Path) -> dict[str, str]:
    """Of a Pulumi CLI that keeps everything in the folder and has the lab's plugins."""
    (folder / "state").mkdir()
    return {
        "PATH": f"{Paths.of().bin}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "passphrase of a benchmark",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "SSH_AUTH_SOCK": "",
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.clusters", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1, help="until a node has told its facts")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as temporary,
        pytest.MonkeyPatch.context() as patch,
        contextlib.ExitStack() as started,
    ):
        folder = Path(temporary)
        fake_node(folder / "fakes", patch)._command("sudo", _ANSWER.replace("{seconds}", str(arguments.seconds)))
        variables = environment(folder)
        for name, value in variables.items():
            patch.setenv(name, value)
        servers = []
        for name in CLUSTERS:
            (folder / name).mkdir()
            (folder / name / "facts").write_text(facts_output(untouched()))
            servers.append(started.enter_context(serving(folder / name)))
        (folder / "project").mkdir()
        stack = EngineStack(folder / "project", variables)
        preview_seconds(stack, servers)
        rounds = [
            (preview_seconds(stack, servers[:1]), preview_seconds(stack, servers)) for _ in range(arguments.rounds)
        ]
    one, three = (median(each) for each in zip(*rounds, strict=True))
    ratio = median(three / one for one, three in rounds)
    print(f"medians of {arguments.rounds}, nodes that take {arguments.seconds:g} s to answer")
    print(f"one cluster     {one:6.2f} s")
    print(f"three clusters  {three:6.2f} s   {ratio:.2f} times one; one after the other would be 3")


if __name__ == "__main__":
    main()
