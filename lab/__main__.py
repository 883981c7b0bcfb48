"""``python -m lab``: build, up, join, status, shell, exec, observability, reset and down."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence

from lab import build, cluster, host, node, tools
from lab.api import Lab
from lab.errors import LabError
from lab.lock import exclusive
from lab.namespaces import holder, inside
from lab.observability import compare, service, stack
from lab.observability.stack import Observability
from lab.paths import Paths
from lab.state import LabState, load


def main(arguments: Sequence[str]) -> int:
    """Run one command; gives the exit code. Errors are one message on standard error."""
    options = build_parser().parse_args(arguments)
    paths = Paths.of()
    try:
        return _COMMANDS[options.command](paths, options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; run the same command again, or python -m lab down", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The parser with every command."""
    parser = argparse.ArgumentParser(prog="python -m lab", description="A disposable kubeadm control plane.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("build", "build the tools that are missing or out of date"),
        ("up", "make the lab, or start the one there is"),
        ("join", "add one more control-plane node to a lab that has a load balancer"),
        ("status", "say what runs"),
        ("shell", "a root shell on a node"),
        ("exec", "run a command on a node"),
        ("observability", "Loki and Prometheus beside the lab, and Alloy's image on its nodes"),
        ("reset", "give the nodes the state back that kubeadm left"),
        ("down", "remove the lab; built tools stay"),
    ):
        command = commands.add_parser(name, help=text)
        if name in ("build", "up"):
            command.add_argument("--kubernetes", choices=tools.KUBERNETES_MINORS, help="minor; the newest by default")
        if name == "build":
            command.add_argument("--tests", action="store_true", help="also what only the tests run")
            command.add_argument("--observability", action="store_true", help="also Loki and Alloy")
        if name == "up":
            command.add_argument(
                "--nodes", type=int, help="control-plane nodes, 1 by default; more get a load balancer"
            )
        if name == "observability":
            command.add_argument(
                "action",
                choices=("up", "servers", "down", "compare"),
                help="servers: without Alloy, which takes longest to build; compare: the nodes' files with Loki",
            )
        if name in ("shell", "exec"):
            command.add_argument("node", metavar="NODE", help="as cp1")
            command.add_argument("--user", default="root", choices=("root", node.OPERATOR))
        if name == "exec":
            command.add_argument("words", nargs="+", metavar="CMD", help="after --")
    return parser


def _build(paths: Paths, options: argparse.Namespace) -> int:
    host.prepare(paths.root)
    minor = options.kubernetes or tools.KUBERNETES_MINORS[0]
    tests = tools.test_tools() if options.tests else ()
    shipping = tools.observability_tools() if options.observability else ()
    wanted = (*tools.node_tools(minor), *tools.pulumi_tools(), *tests, *shipping)
    build.build(paths, tuple(dict.fromkeys(wanted)))
    print(f"tools are in {paths.bin}")
    return 0


def _up(paths: Paths, options: argparse.Namespace) -> int:
    started = time.monotonic()
    there = load(paths.state)
    minor = options.kubernetes or (there.kubernetes if there else tools.KUBERNETES_MINORS[0])
    nodes = options.nodes or (len(there.nodes) if there else 1)
    host.prepare(paths.root, balancer=nodes > 1)
    build.build(paths, tools.node_tools(minor))
    with exclusive(paths.lock, "another command"):
        state = cluster.up(paths, nodes=nodes, minor=minor)
    _say_ready(state, started)
    return 0


def _join(paths: Paths, _: argparse.Namespace) -> int:
    started = time.monotonic()
    _say_ready(Lab.load(paths).join().state, started)
    return 0


def _say_ready(state: LabState, started: float) -> None:
    count = "" if state.balancer is None else f" with {len(state.nodes)} nodes"
    print(f"Kubernetes {state.version} at {state.endpoint}{count} is ready after {time.monotonic() - started:.1f} s")


def _status(paths: Paths, _: argparse.Namespace) -> int:
    print("\n".join(cluster.status(paths)))
    return 0


def _shell(paths: Paths, options: argparse.Namespace) -> int:
    return _on_node(paths, options, ["bash", "-i"])


def _exec(paths: Paths, options: argparse.Namespace) -> int:
    return _on_node(paths, options, options.words)


def _on_node(paths: Paths, options: argparse.Namespace, words: Sequence[str]) -> int:
    target = Lab.load(paths).node(options.node)
    pid = holder(target.state)
    if pid is None:
        raise LabError(f"node {target.name} is not running: python -m lab up")
    return subprocess.run([*inside(pid, options.user), *words], check=False).returncode


def _observability(paths: Paths, options: argparse.Namespace) -> int:
    if options.action == "compare":
        result = compare.compare(Lab.load(paths), Observability.of(paths).loki.url)
        print("\n".join(result.lines()))
        return 0 if result.equal else 1
    if options.action in ("up", "servers"):
        host.prepare(paths.root, observability=True)
        wanted = tools.observability_tools()
        build.build(paths, [tool for tool in wanted if tool.name != "alloy" or options.action == "up"])
    with exclusive(paths.lock, "another command"):
        if options.action == "down":
            removed = service.remove(paths)
            print("Loki and Prometheus are gone" if removed else "there is nothing to remove")
        else:
            start = stack.up if options.action == "up" else stack.start_servers
            print("\n".join(service.describe(start(paths).services)))
    return 0


def _reset(paths: Paths, _: argparse.Namespace) -> int:
    changed = Lab.load(paths).reset()
    print("the nodes are as kubeadm left them" + ("" if changed else " (nothing had changed)"))
    return 0


def _down(paths: Paths, _: argparse.Namespace) -> int:
    if os.geteuid() != 0:
        raise LabError("the lab was made by root: run down as root")
    with exclusive(paths.lock, "another command"):
        removed = cluster.down(paths)
    print("the lab is gone; built tools are kept" if removed else "there is no lab")
    return 0


_COMMANDS = {
    "build": _build,
    "up": _up,
    "join": _join,
    "status": _status,
    "shell": _shell,
    "exec": _exec,
    "observability": _observability,
    "reset": _reset,
    "down": _down,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
