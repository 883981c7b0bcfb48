"""What ``auditlog fleet status`` takes for a fleet of recorded clusters, beside reading one of them after the other.

    python -m bench.fleet [--clusters 40] [--seconds 1] [--lab FOLDER ...]

The nodes are SSH servers on this machine that answer with recorded facts, each after ``--seconds``, as one far away or
under load does. A tenth of them do not answer at all, others are off, drifted, silent or old. ``--lab`` adds the
cluster of a running lab. Memory is the command's, for the whole fleet and a quarter of it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest
import yaml

from auditlog.fleet.read import AT_ONCE
from lab.api import Lab
from lab.paths import REPOSITORY, Paths
from lab.stack import configuration
from tests.engine.fake_node import fake_node
from tests.engine.ssh_server import new_key, serving
from tests.unit.fleet.clusters import PROJECT, stack_file, states
from tests.unit.nodes.facts_output import facts_output

_ANSWER = "cat >/dev/null; sleep {seconds}; cat facts"
_STATES = ("well", "well", "well", "off", "drifted", "old", "silent", "well", "undone", "unreachable")


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of the command."""

    seconds: float
    megabytes: float
    last_line: str


def fleet(folder: Path, count: int, key: asyncssh.SSHKey, started: contextlib.ExitStack) -> list[str]:
    """Stack files of so many clusters below the folder, each with an SSH server; gives their paths."""
    (folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
    files = []
    for number in range(count):
        state, name = _STATES[number % len(_STATES)], f"c{number:02}"
        facts = states(name)[state]
        (folder / name).mkdir()
        if facts is None:
            port, host_key = started.enter_context(_silence()), _host_key()
        else:
            (folder / name / "facts").write_text(facts_output(facts))
            server = started.enter_context(serving(folder / name, key))
            port, host_key = server.port, server.host_key
        file = folder / f"Pulumi.{name}.yaml"
        file.write_text(stack_file(name, host_key, port))
        files.append(str(file))
    return files


def lab_stack(folder: Path, root: str, agent: Mapping[str, str]) -> str:
    """The stack file of a running lab, whose key the agent has from now on; gives its path."""
    lab = Lab.load(Paths.of(Path(root).resolve()))
    subprocess.run(["ssh-add", "-q", str(lab.paths.ssh_key)], env={**os.environ, **agent}, check=True)
    own = {**configuration(lab.state), "cluster": lab.paths.root.name}
    config = {f"kubernetes-audit:{key}": value for key, value in own.items()}
    file = folder / f"Pulumi.{lab.paths.root.name}.yaml"
    file.write_text(yaml.safe_dump({"config": config}))
    return str(file)


def measured(files: Sequence[str], agent: Mapping[str, str], at_once: int) -> Measured:
    """Runs the command on these stack files, in a process whose memory is measured."""
    words = [sys.executable, "-m", "auditlog", "fleet", "status", "--at-once", str(at_once)]
    measure = (
        "import resource, subprocess, sys; run = subprocess.run(sys.argv[1:], capture_output=True, text=True); "
        "print(run.stdout + run.stderr); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    began = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-c", measure, *words, *files],
        cwd=REPOSITORY,
        env={**os.environ, **agent},
        capture_output=True,
        text=True,
        check=True,
    )
    *text, peak = run.stdout.strip().splitlines()
    return Measured(time.monotonic() - began, int(peak) / 1024, next(line for line in reversed(text) if line))


@contextlib.contextmanager
def _silence() -> Iterator[int]:
    """A port on which nobody ever says a word, as behind a firewall."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@contextlib.contextmanager
def _agent(folder: Path) -> Iterator[Mapping[str, str]]:
    """An SSH agent, as the variable that leads to it."""
    socket_path = folder / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket_path)], stdout=subprocess.DEVNULL) as agent:
        while not socket_path.exists():
            time.sleep(0.01)
        yield {"SSH_AUTH_SOCK": str(socket_path)}
        agent.terminate()


def _host_key() -> str:
    words: list[str] = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()
    return " ".join(words[:2])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__.partition("\n")[0])
    parser.add_argument("--clusters", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=1, help="until a node has told its facts")
    parser.add_argument("--lab", action="append", default=[], metavar="FOLDER", help="the LAB_ROOT of a running lab")
    arguments = parser.parse_args()
    # Every server keeps a few files open.
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    with (
        tempfile.TemporaryDirectory() as temporary,
        pytest.MonkeyPatch.context() as patch,
        contextlib.ExitStack() as started,
    ):
        folder = Path(temporary)
        fake_node(folder / "fakes", patch)._command("sudo", _ANSWER.replace("{seconds}", str(arguments.seconds)))
        agent = started.enter_context(_agent(folder))
        key = new_key()
        (folder / "key").touch(mode=0o600)
        (folder / "key").write_bytes(key.export_private_key())
        subprocess.run(["ssh-add", "-q", str(folder / "key")], env={**os.environ, **agent}, check=True)
        recorded = fleet(folder, arguments.clusters - len(arguments.lab), key, started)
        files = [*recorded, *(lab_stack(folder, root, agent) for root in arguments.lab)]
        quarter = measured(files[: len(files) // 4], agent, AT_ONCE)
        whole = measured(files, agent, AT_ONCE)
        turns = measured(files[: len(files) // 4], agent, 1)
    one_by_one = turns.seconds * 4
    print(whole.last_line)
    few = len(files) // 4
    print(f"{len(files)} clusters, {AT_ONCE} at a time        {whole.seconds:6.1f} s  {whole.megabytes:6.0f} MB")
    print(f"{few} clusters, {AT_ONCE} at a time        {quarter.seconds:6.1f} s  {quarter.megabytes:6.0f} MB")
    print(f"{few} clusters, one after the other {turns.seconds:6.1f} s  {turns.megabytes:6.0f} MB")
    print(f"one after the other, all would take {one_by_one:.0f} s: {one_by_one / whole.seconds:.1f} times as long")


if __name__ == "__main__":
    main()
