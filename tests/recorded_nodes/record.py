"""Records the states anew, on labs of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from auditlog.node_paths import MANIFEST
from auditlog.nodes import node_scripts
from auditlog.settings import DEFAULT_LOG_PATH, DEFAULT_POLICY_PATH
from lab.api import Lab, Node
from lab.stack import PulumiStack
from tests.earlier_version import earlier_version
from tests.engine.program_stack import OWNER
from tests.lab.own_lab import OwnLab
from tests.recorded_nodes.states import RELEASED, TODAY, State

_PATHS = (DEFAULT_POLICY_PATH, DEFAULT_LOG_PATH, "")
_USER = "ops"
_RELEASED_SCRIPT = f"""\
from auditlog.apiserver.node_scripts import bundle, facts_command
print(facts_command({_USER!r}, {_PATHS!r}))
print(bundle(), end="")
"""
# A change of the manifest reaches the process after kubelet has seen it; then what runs must answer.
_KUBELET_SECONDS = 60
_RUNS_MANIFEST = f"""\
wanted=$(sed -n 's/^    - "*\\(--[^" ]*\\).*/\\1/p' {MANIFEST} | sort)
pid=$(pgrep -x kube-apiserver) && [ "$(tr '\\0' '\\n' </proc/$pid/cmdline | sed 1d | sort)" = "$wanted" ]
"""


def record(states: Sequence[State]) -> None:
    """Boots a control plane for each minor version, makes each state on it, and keeps what the node reports."""
    with tempfile.TemporaryDirectory() as folder:
        released = earlier_version(Path(folder))
        for minor, group in groupby(sorted(states, key=lambda each: each.kubernetes), lambda each: each.kubernetes):
            own = OwnLab(f"recorded-{minor}")
            own.up("--kubernetes", minor)
            try:
                for state in group:
                    _record(state, Lab.load(own.paths), released)
            finally:
                own.command("down")


def _record(state: State, lab: Lab, released: Path) -> None:
    lab.reset()
    (node,) = lab.nodes
    if state.is_deployed:
        name = OWNER.rpartition("/")[2]
        # The restart that takes the least time: all lead to the same node.
        settings = {"restart": "quick", "acceptLostEvents": True, "rehearsal": False}
        stack = replace(PulumiStack.prepare(lab.paths, lab.state, name, settings), project=released)
        stack.run("up", "--yes", "--skip-preview")
        stack.remove()
    before = node.sha256(MANIFEST)
    node.run(state.script)
    if node.sha256(MANIFEST) != before:
        _restart(lab, node)
    lab.wait_ready()
    for version, (command, script) in {RELEASED: _released_reader(released), TODAY: _reader()}.items():
        answer = subprocess.run([*node.ssh(), command], input=script, capture_output=True, text=True, check=True)
        (state.folder / f"{version}.facts").write_text(answer.stdout)
    print(f"{state.name}: recorded", flush=True)


def _restart(lab: Lab, node: Node) -> None:
    """Waits until the API server has the manifest's arguments. One that has them already is ended, as kubelet does
    after a change of anything else in the manifest."""
    if node.run(_RUNS_MANIFEST, check=False).returncode == 0:
        node.run("pkill -x kube-apiserver")
        lab.wait_ready()
    deadline = time.monotonic() + _KUBELET_SECONDS
    while node.run(_RUNS_MANIFEST, check=False).returncode != 0:
        assert time.monotonic() < deadline, "kubelet does not run what the manifest says"
        time.sleep(1)


def _reader() -> tuple[str, str]:
    paths = dict(zip(("policy", "log", "webhook"), _PATHS, strict=True))
    return node_scripts.facts_command(_USER, paths), node_scripts.bundle()


def _released_reader(released: Path) -> tuple[str, str]:
    words = [sys.executable, "-c", _RELEASED_SCRIPT]
    printed = subprocess.run(words, cwd=released, capture_output=True, text=True, check=True).stdout
    command, _, script = printed.partition("\n")
    return command, script
