"""``python -m bench.preview`` on a lab of three nodes (``make bench-preview`` makes one).

Everything is in sync, and each way only finds that out: this program's preview, ``ansible-playbook --check --diff`` and
``pyinfra --dry`` with the same reads and edits, all through proxies that add 20 ms to every round trip. Beside them the
previews of two Pulumi programs: one that does nothing, and one that declares as many resources of the same kinds, which
is what Pulumi itself takes. Reading the nodes and deciding is to take at most 0.8 s more.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.preview.peers import Peers
from bench.preview.requirements_environment import install
from bench.preview.slow_network import delayed
from lab import node
from lab.api import Lab
from lab.environment import environment
from lab.paths import REPOSITORY, Paths
from lab.stack import PulumiStack

MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
POLICY = "/etc/kubernetes/audit-policy.yaml"
LOG_FOLDER = "/var/log/kubernetes/audit"
NODES = 3
MILLISECONDS = 20
OURS = "pulumi preview"
SAME = "a Pulumi program of the same resources"
MOST_ABOVE = 0.8
_PROVIDERS_AND_STACK = ("pulumi:",)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.preview", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each way is timed, 5 by default")
    rounds = parser.parse_args().rounds
    lab = Lab.load()
    if len(lab.nodes) != NODES:
        raise SystemExit(f"the lab has {len(lab.nodes)} node(s), {NODES} are needed: make bench-preview")
    lab.reset()
    with delayed(lab.paths, lab.nodes, MILLISECONDS) as ports:
        stack = in_sync(lab, ports)
        try:
            peers = prepared_peers(lab, stack.folder, ports)
            seconds = timed(
                {
                    "a Pulumi program that does nothing": other_program(stack, "nothing"),
                    SAME: other_program(stack, "same", resources_of(stack)),
                    OURS: lambda: stack.run("preview", "--expect-no-changes"),
                    "pyinfra --dry": peers.pyinfra,
                    "ansible-playbook --check --diff": peers.ansible,
                },
                rounds,
            )
        finally:
            lab.reset()
            stack.remove()
    show(seconds)


def in_sync(lab: Lab, ports: Mapping[str, int]) -> PulumiStack:
    """A stack that has been applied to every node through the slow network."""
    nodes = [
        {"name": each.name, "host": "127.0.0.1", "port": ports[each.name], "user": node.OPERATOR}
        | {"hostKey": each.host_key}
        for each in lab.nodes
    ]
    stack = PulumiStack.prepare(lab.paths, lab.state, "preview", {"nodes": nodes, "restart": "drain"})
    project = installed_project(lab.paths)
    stack = replace(stack, project=project, python=project / ".venv")
    print("bringing audit logging to the nodes; some minutes", flush=True)
    stack.run("up", "--yes", "--skip-preview")
    return stack


def installed_project(paths: Paths) -> Path:
    """The project as a user has it, in the environment that ``pulumi install`` makes, without tests and their tools."""
    project = paths.root / "project"
    for name in ("auditlog", "components", "node", "policies"):
        shutil.rmtree(project / name, ignore_errors=True)
        shutil.copytree(REPOSITORY / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__main__.py", "Pulumi.yaml", "requirements.txt"):
        shutil.copy(REPOSITORY / name, project / name)
    install(project / ".venv", project / "requirements.txt", "this program's requirements")
    return project


def prepared_peers(lab: Lab, folder: Path, ports: Mapping[str, int]) -> Peers:
    """The peers with the very texts that the nodes have now."""
    first = lab.nodes[0]
    policy, configuration = folder / "policy.yaml", folder / "cluster-configuration.yaml"
    policy.write_text(first.run(f"cat {POLICY}").stdout)
    configuration.write_text(
        lab.kubectl(
            "-n", "kube-system", "get", "configmap", "kubeadm-config", "-o=jsonpath={.data.ClusterConfiguration}"
        )
    )
    manifest = first.run(f"cat {MANIFEST}").stdout
    data = {
        "policy_text": str(policy),
        "policy_path": POLICY,
        "log_folder": LOG_FOLDER,
        "manifest_path": MANIFEST,
        "manifest_lines": list(dict.fromkeys(line for line in manifest.splitlines() if "audit" in line)),
        "cluster_configuration_text": str(configuration),
    }
    peers = Peers(lab.paths.root / "peers", folder / "peers", node.OPERATOR, lab.paths.ssh_key, ports, data)
    peers.install()
    peers.write_inventories("".join(f"[127.0.0.1]:{ports[each.name]} {each.host_key}\n" for each in lab.nodes))
    return peers


def resources_of(stack: PulumiStack) -> list[dict[str, Any]]:
    """What the stack declares, for a program that declares as much: components, and Commands that do nothing.

    Their inputs are as long as the stack's own, and they are applied over the same connections.
    """
    exported = json.loads(stack.run("stack", "export", "--show-secrets").stdout)
    resources = []
    for each in exported["deployment"]["resources"]:
        if each["type"].startswith(_PROVIDERS_AND_STACK):
            continue
        named = {"urn": each["urn"], "type": each["type"], "name": each["urn"].rpartition("::")[2]}
        command = _harmless(each["inputs"]) if each["custom"] else None
        resources.append({**named, "parent": each.get("parent"), "command": command})
    return resources


def _harmless(inputs: Mapping[str, Any]) -> dict[str, Any]:
    connection = {_snake(name): _shown(value) for name, value in _shown(inputs["connection"]).items()}
    words = " ".join(str(_shown(inputs["create"])).split())
    return {"connection": connection, "text": f"cat >/dev/null # {words}", "stdin": _shown(inputs["stdin"])}


def _shown(value: Any) -> Any:
    """The text of a secret in an exported stack; anything else as it is."""
    return json.loads(value["plaintext"]) if isinstance(value, dict) and "plaintext" in value else value


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def other_program(ours: PulumiStack, name: str, resources: list[dict[str, Any]] | None = None) -> Callable[[], object]:
    """A preview of the program ``name``, on a stack that has been applied, in the same environment as ours.

    ``resources`` are for a program that reads them.
    """
    program = ours.project / name
    shutil.copytree(Path(__file__).parent / name, program, dirs_exist_ok=True)
    if resources is not None:
        (program / "resources.json").touch(mode=0o600)
        (program / "resources.json").write_text(json.dumps(resources))
    variables = environment(ours.paths, ours.python)

    def pulumi(*words: str) -> None:
        done = subprocess.run(
            ["pulumi", *words, "--non-interactive"],
            cwd=program,
            env=variables,
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"pulumi {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    pulumi("stack", "select", name, "--create")
    pulumi("up", "--yes", "--skip-preview", "--stack", name)
    return lambda: pulumi("preview", "--expect-no-changes", "--stack", name)


def timed(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds that each way took in each round; a first run of each, which fills caches, is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, run in ways.items():
            began = time.monotonic()
            run()
            took = time.monotonic() - began
            print(f"round {number}: {name}: {took:.2f} s", flush=True)
            if number:
                seconds[name].append(took)
    return seconds


def show(seconds: Mapping[str, list[float]]) -> None:
    ours = statistics.median(seconds[OURS])
    print(f"{'seconds, of ' + str(len(seconds[OURS])):40} {'median':>8} {'least':>8} {'times ours':>12}")
    for name, each in seconds.items():
        median = statistics.median(each)
        print(f"{name:40} {median:8.2f} {min(each):8.2f} {median / ours:12.2f}")
    above = [mine - same for mine, same in zip(seconds[OURS], seconds[SAME], strict=True)]
    least = min(seconds[OURS]) - min(seconds[SAME])
    print(
        f"above the same resources: {statistics.median(above):.2f} s in the median of the rounds, "
        f"{least:.2f} s between the least of each; at most {MOST_ABOVE} s is wanted"
    )


if __name__ == "__main__":
    main()
