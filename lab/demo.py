"""``python -m lab.demo``: turn audit logging on for a real control plane, then ask it who deleted a ConfigMap."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.api import Lab
from lab.environment import environment
from lab.errors import LabError
from lab.paths import REPOSITORY
from lab.stack import PulumiStack

CONFIG_MAP = "app-config"
AUDITLOG = ".venv/bin/python -m auditlog"
FOUND, UNKNOWN = 0, 3
"""Exit codes of a question: docs/answers.md."""


def main(arguments: Sequence[str]) -> int:
    """Run the whole demonstration, or the named step, on the lab that is up. Returns the exit code."""
    steps: dict[tuple[str, ...], Callable[[Lab, PulumiStack], None]] = {
        (): _demonstrate,
        ("preview",): lambda lab, stack: _show(lab, stack.command("preview", "--diff")),
        ("destroy",): lambda lab, stack: _show(lab, stack.command("destroy", "--yes", "--skip-preview")),
    }
    step = steps.get(tuple(arguments))
    if step is None:
        print("usage: python -m lab.demo [preview|destroy]", file=sys.stderr)
        return 2
    try:
        lab = Lab.load()
        step(lab, PulumiStack.prepare(lab.paths, lab.state, "lab"))
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


def _demonstrate(lab: Lab, stack: PulumiStack) -> None:
    _step("1. pulumi preview --diff reads the node and changes nothing")
    _show(lab, stack.command("preview", "--diff"))

    _step("2. pulumi up changes the node, checks it, and proves that events arrive (about 90 s)")
    _show(lab, stack.command("up", "--yes", "--skip-preview"))

    _step(f"3. A person, alice@example.com, deletes the ConfigMap default/{CONFIG_MAP}")
    lab.kubectl("apply", "--filename", _config_map_file(lab), as_user="alice")
    lab.kubectl("delete", "configmap", CONFIG_MAP, as_user="alice")
    print(f"configmap {CONFIG_MAP!r} deleted")

    log_path = json.loads(stack.run("stack", "output", "--json").stdout)["logPath"]
    read_log = _Reading(lab.nodes[0].name, shlex.join(lab.nodes[0].ssh()), log_path)
    _step("4. Who deleted it? The node's audit log has the answer")
    _ask(read_log, f"who --verb delete --name {CONFIG_MAP}", expected=FOUND)

    _step("5. Who read a Secret? This policy does not record reads, and the answer says so")
    _ask(read_log, "secrets", expected=UNKNOWN)

    _step("What to try next")
    print(f"""\
change something by hand     .venv/bin/python -m lab shell {read_log.node}
see it as a diff             make demo-preview
take audit logging off       make demo-destroy
who has done anything        {read_log.command} | {AUDITLOG} who -
remove the lab               make down""")


@dataclass(frozen=True, slots=True)
class _Reading:
    """How the demonstration reads the log of a node."""

    node: str
    ssh: str
    """The whole SSH command, with the lab's key."""
    log: str

    @property
    def command(self) -> str:
        return f"{self.ssh} sudo cat {self.log}"


def _ask(reading: _Reading, question: str, expected: int) -> None:
    words = f"{question} --policy preset:low-write --nodes 1 {reading.node}=-"
    print(f"$ ssh {reading.node} sudo cat {reading.log} | auditlog {words}", flush=True)
    command = f"{reading.command} | {AUDITLOG} {words}"
    ended = subprocess.run(command, shell=True, cwd=REPOSITORY, check=False)  # noqa: S602  a pipe, as a person types it
    if ended.returncode != expected:
        raise LabError(f"auditlog {question} ended with {ended.returncode}, expected {expected}")


def _config_map_file(lab: Lab) -> str:
    file = lab.paths.root / f"{CONFIG_MAP}.yaml"
    file.write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {CONFIG_MAP}\ndata:\n  key: value\n")
    return str(file)


def _step(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _show(lab: Lab, command: list[str]) -> None:
    print("$ " + " ".join(command[:2]), flush=True)
    ended = subprocess.run(command, cwd=REPOSITORY, env=environment(lab.paths), stdin=subprocess.DEVNULL, check=False)
    if ended.returncode != 0:
        raise LabError(f"pulumi {command[1]} ended with {ended.returncode}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
