"""``python -m lab.demo``: audit logging comes to a real control plane, and tells who deleted a ConfigMap."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from typing import Any

from lab.api import Lab
from lab.environment import environment
from lab.errors import LabError
from lab.paths import REPOSITORY
from lab.pulumi_stack import PulumiStack

CONFIG_MAP = "app-config"


def main() -> int:
    """Runs the demonstration on the lab that is up; gives the exit code."""
    try:
        _demonstrate()
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


def _demonstrate() -> None:
    lab = Lab.load()
    stack = PulumiStack.prepare(lab.paths, lab.state, "lab", lab.paths.root / "stack")
    node = lab.nodes[0]

    _step("1. pulumi preview --diff: the node is read, nothing is changed")
    _show(lab, stack.command("preview", "--diff"))

    _step("2. pulumi up: one transaction on the node, health-gated (a first time takes about 50 s)")
    _show(lab, stack.command("up", "--yes", "--skip-preview"))

    _step(f"3. A person, alice@example.com, deletes the ConfigMap default/{CONFIG_MAP}")
    lab.kubectl("delete", "configmap", CONFIG_MAP, "--ignore-not-found", as_user="alice")
    lab.kubectl("create", "configmap", CONFIG_MAP, "--from-literal=key=value", as_user="alice")
    lab.kubectl("delete", "configmap", CONFIG_MAP, as_user="alice")
    print(f"configmap {CONFIG_MAP!r} deleted")

    _step("4. Who deleted it? The audit log of the node knows")
    log_path = json.loads(stack.run("stack", "output", "--json").stdout)["logPath"]
    event = _deletion(lab, log_path)
    who, what = event["user"], event["objectRef"]
    print(f"when    {event['requestReceivedTimestamp']}")
    print(f"what    {event['verb']} {what['resource']} {what['namespace']}/{what['name']}")
    print(f"from    {', '.join(event['sourceIPs'])} with {event['userAgent'].split(' ')[0]}")
    print(f"answer  {event['responseStatus']['code']} on {node.name}")
    print(f"who     {who['username']} ({', '.join(who['groups'])})")

    _step("What to try next")
    python, ssh = ".venv/bin/python", shlex.join(node.ssh())
    print(f"""\
the same on the node itself      {ssh} sudo grep {CONFIG_MAP} {log_path}
change something by hand         {python} -m lab exec {node.name} -- vi /etc/kubernetes/manifests/kube-apiserver.yaml
see it as a diff                 make demo-preview
take it all back                 make demo-destroy
remove the lab                   make down""")


def _deletion(lab: Lab, log_path: str) -> dict[str, Any]:
    """The newest event of the deletion in the log. The log is written before the answer, so it is there by now."""
    search = f"grep {shlex.quote(CONFIG_MAP)} {shlex.quote(log_path)}"
    for _ in range(10):
        found = [json.loads(line) for node in lab.nodes for line in node.run(search, check=False).stdout.splitlines()]
        deletions = [event for event in found if event["verb"] == "delete"]
        if deletions:
            return max(deletions, key=lambda event: str(event["requestReceivedTimestamp"]))
        time.sleep(1)
    raise LabError(f"no event of the deletion in {log_path}")


def _step(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _show(lab: Lab, command: list[str]) -> None:
    print("$ " + " ".join(command[:2]), flush=True)
    ended = subprocess.run(command, cwd=REPOSITORY, env=environment(lab.paths), stdin=subprocess.DEVNULL, check=False)
    if ended.returncode != 0:
        raise LabError(f"pulumi {command[1]} ended with {ended.returncode}")


if __name__ == "__main__":
    sys.exit(main())
