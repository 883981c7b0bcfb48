"""``python -m lab.demo``: audit logging comes to a real control plane, and tells who deleted a ConfigMap."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence

from lab.api import Lab
from lab.environment import environment
from lab.errors import LabError
from lab.paths import REPOSITORY
from lab.stack import PulumiStack

CONFIG_MAP = "app-config"


def main(arguments: Sequence[str]) -> int:
    """Runs the whole demonstration, or the one step that is named, on the lab that is up; gives the exit code."""
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
    _step("1. pulumi preview --diff: the node is read, nothing is changed")
    _show(lab, stack.command("preview", "--diff"))

    _step("2. pulumi up: one transaction on the node, health-gated (the first time takes about 50 s)")
    _show(lab, stack.command("up", "--yes", "--skip-preview"))

    _step(f"3. A person, alice@example.com, deletes the ConfigMap default/{CONFIG_MAP}")
    lab.kubectl("apply", "--filename", _config_map_file(lab), as_user="alice")
    lab.kubectl("delete", "configmap", CONFIG_MAP, as_user="alice")
    print(f"configmap {CONFIG_MAP!r} deleted")

    _step("4. Who deleted it? The audit log of the node knows")
    log_path = json.loads(stack.run("stack", "output", "--json").stdout)["logPath"]
    ssh = shlex.join(lab.nodes[0].ssh())
    question = f".venv/bin/python -m auditlog who --verb delete --name {CONFIG_MAP} -"
    print(f"$ ssh {lab.nodes[0].name} sudo cat {log_path} | {question}", flush=True)
    answer = subprocess.run(f"{ssh} sudo cat {log_path} | {question}", shell=True, cwd=REPOSITORY, check=False)  # noqa: S602
    if answer.returncode != 0:
        raise LabError(f"no event of the deletion in {log_path}")

    _step("What to try next")
    print(f"""\
change something by hand     .venv/bin/python -m lab shell {lab.nodes[0].name}
see it as a diff             make demo-preview
take audit logging off       make demo-destroy
who has done anything        {ssh} sudo cat {log_path} | .venv/bin/python -m auditlog who -
remove the lab               make down""")


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
