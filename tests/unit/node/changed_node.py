"""A node that is a folder, in the middle of a change: no API server runs, what stands for it says what it is told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from auditlog.manifest.desired import sha256
from auditlog.nodes import node_scripts
from tests.unit.node.shell import run

STEPS = re.findall(r'^STEPS="(.*)"$', node_scripts.bundle(), re.MULTILINE)[0].split(" ")
# What stands for the API server: PIDs that are there, health that is as told, files that belong to nobody else.
STAND_INS = """
chown() { :; }
apiserver_pids() { cat "$STATE/pids" 2>/dev/null; }
new_runs() { new=77; [ -e "$STATE/new-runs" ]; }
healthy() { [ -e "$STATE/healthy" ]; }
healthy_three_times() { [ -e "$STATE/healthy" ]; }
kill() { echo "kill $*" >>"$STATE/killed"; }
keep_kubeadm_config() { :; }
kubelet_runs() { :; }
list_images() { echo registry.example.com/apiserver:v1; }
sandbox_image() { :; }
start_prober() { :; }
is_redirected() { [ -e "$STATE/redirected" ]; }
withdraw_redirect() { rm -f "$STATE/redirected"; }
sleep() { :; }
all_apiserver_pids() { apiserver_pids; }
worker=1:1 guard=
keep_guard() { :; }
look_at_cluster() { cat "$STATE/cluster" 2>/dev/null; }
"""


@dataclass(frozen=True)
class Node:
    """The folder of a node: manifest and policy live, the new ones staged, the old ones in a backup."""

    folder: Path

    @property
    def manifest(self) -> Path:
        return self.folder / "manifest"

    @property
    def policy(self) -> Path:
        return self.folder / "policy"

    @property
    def journal(self) -> Path:
        return self.folder / "state/journal"

    def entries(self) -> dict[str, str]:
        if not self.journal.exists():
            return {}
        return dict(line.split("=", 1) for line in self.journal.read_text().splitlines())

    def write_journal(self, step: str, **more: str) -> None:
        entries = {
            "step": step,
            "worker": "9:9",
            "boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            "backup": str(self.folder / "backup"),
            "processes": "11 ",
            "arguments": "",
            "arguments-before": "",
            "desired": sha256("new manifest"),
            "policy": str(self.policy),
            "policy-desired": sha256("new policy"),
            "endpoint": "https://127.0.0.1:6443",
            "timeout": "0",
        } | {name.replace("_", "-"): value for name, value in more.items()}
        self.journal.write_text("".join(f"{name}={value}\n" for name, value in entries.items()))

    def says(self, name: str, text: str = "") -> None:
        (self.folder / "state" / name).write_text(text)

    def run(self, script: str) -> str:
        return run(self.folder, STAND_INS + script).stdout

    @property
    def as_read(self) -> str:
        """What the plan has read of the files: they are as it saw them."""
        policy = sha256(self.policy.read_text()) if self.policy.exists() else "absent"
        return f"live={sha256(self.manifest.read_text())}@1 policy-live={policy}@1"

    def enable(self, timeout: int = 0) -> str:
        return self.run(
            f"transaction enable {self.as_read} policy={self.policy} policy-desired={sha256('new policy')} arguments=a "
            f"arguments-before=b endpoint=e timeout={timeout} log=/nowhere marker=no owner=stack 2>&1"
        )
