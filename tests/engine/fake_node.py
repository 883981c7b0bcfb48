"""A control-plane node that is a folder: the node's own scripts run on it, root and kubectl are fakes.

There is no process on it: nothing can pose as another program in /proc, and those of this machine are none of its. Its
disk, memory and firewall are fakes too: what a test finds must not depend on the machine that runs it.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from auditlog.manifest import kubeadm_config, manifest_edit
from auditlog.manifest.desired import audit_configuration
from auditlog.nodes.facts import Facts
from auditlog.policy.presets import preset_text
from auditlog.settings import LogSettings, PolicySettings
from tests.unit.manifest.kubeadm_files import CLUSTER_CONFIGURATION, MANIFEST
from tests.unit.nodes.facts_output import facts_output

_COMMANDS = {
    # sudo -n sh -s facts …, with the script on standard input; its paths are moved into the folder, and its PATH has
    # the fakes first.
    "sudo": 'shift 2; sed "s#/etc/kubernetes#{root}/etc/kubernetes#g; s#^PATH=#PATH={root}/bin:#" | exec sh "$@"',
    "id": "echo 0",
    "uname": "echo cp1",
    "grep": f'case $* in */proc/*) exit 1 ;; *) exec {shutil.which("grep")} "$@" ;; esac',
    "kubectl": "printf ConfigMap/7; printf ' '; cat '{root}/cluster-configuration.yaml'; printf .",
    # Only of readiness, of API servers that are none of this machine's.
    "curl": "printf '\\n200'",
    # Only df -P -k FOLDER: 100 GB, half of it free.
    "df": "echo Filesystem; echo /dev/vda1 100000000 50000000 50000000 50% /",
    # The script on standard input reads /proc/meminfo by the shell itself.
    "sh": 'case $1 in -s) sed "s#/proc/meminfo#{root}/meminfo#g" | exec /bin/sh "$@" ;; *) exec /bin/sh "$@" ;; esac',
    # A firewall without rules. Nothing here may read, let alone change, that of the machine.
    **dict.fromkeys(
        ("iptables", "ip6tables", "nft", "ip"), 'case " $* " in *" -S "* | *" list "*) exit 0 ;; *) exit 1 ;; esac'
    ),
}
_MEMINFO = "MemTotal:       16000000 kB\nMemFree:         8000000 kB\nMemAvailable:   12000000 kB\n"


_AGREES = """\
case $* in
    *"sh -s facts "*) cat >/dev/null; cat "{root}/facts" ;;
    *"echo declared"*) touch "{root}/locked"; echo declared; cat >/dev/null; rm -f "{root}/locked" ;;
    *)
        cat >/dev/null
        command=$(printf %s "$*" | sed -n 's#.*/node.sh \\([a-z-]*\\) .*#\\1#p' | head -n 1)
        if [ -e "{root}/locked" ]; then state=locked; else state=free; fi
        [ -z "$command" ] || echo "$command $state" >>"{root}/told" ;;
esac"""


@dataclass(frozen=True, slots=True)
class FakeNode:
    """The folder, and the files in it that are the node's."""

    root: Path

    @property
    def manifest(self) -> Path:
        return self.root / "etc/kubernetes/manifests/kube-apiserver.yaml"

    @property
    def policy(self) -> Path:
        return self.root / "etc/kubernetes/audit-policy.yaml"

    @property
    def log(self) -> Path:
        return self.root / "var/log/audit/audit.log"

    def audited(self) -> None:
        """Somebody has turned audit logging on."""
        policy, log = PolicySettings("low-write", path=str(self.policy)), LogSettings(str(self.log))
        configuration = audit_configuration(policy, log)
        self.manifest.write_text(manifest_edit.edit(MANIFEST, configuration, None))
        self.policy.write_text(preset_text("low-write"))
        self.log.parent.mkdir(parents=True)
        self.log.write_text("{}\n")
        config = kubeadm_config.edit(CLUSTER_CONFIGURATION, configuration)
        (self.root / "cluster-configuration.yaml").write_text(config)

    def answer(self, output: str) -> None:
        """From now on the node gives this answer to whatever it is asked for."""
        (self.root / "answer").write_text(output)
        self._command("sudo", 'cat >/dev/null; cat "{root}/answer"')

    def agree(self, facts: Facts | str) -> None:
        """From now on these are the node's facts, typed or as its script prints them, and everything else that it is
        told to do succeeds."""
        (self.root / "facts").write_text(facts if isinstance(facts, str) else facts_output(facts))
        self._command("sudo", _AGREES)

    def told(self) -> list[str]:
        """The node scripts' commands that it was told since it agrees, each with "locked" or "free" for that moment."""
        file = self.root / "told"
        return file.read_text().splitlines() if file.exists() else []

    def await_unlocked(self) -> None:
        """The lock ends with the program, once sshd has seen that it is gone: at most two minutes on a busy machine."""
        end = time.monotonic() + 120
        while (self.root / "locked").exists():
            assert time.monotonic() < end, "the lock does not end with the program"
            time.sleep(0.1)

    def tell_kubeadm_config_from(self, question: int) -> None:
        """The API server does not answer before it is asked for the ``question``-th time, counted from 1."""
        refused = f"if [ $(wc -c <\"{{root}}/asked\") -lt {question} ]; then echo 'connection refused' >&2; exit 1; fi"
        self._command("kubectl", f'printf . >>"{{root}}/asked"; {refused}; {_COMMANDS["kubectl"]}')

    def refuse(self) -> None:
        """From now on nobody becomes root on the node."""
        self._command("sudo", "echo 'sudo: a password is required' >&2; exit 1")

    def snapshot(self) -> dict[str, tuple[int, int, bytes]]:
        """Every file with its time of change, its mode and its content."""
        return {
            str(path): (path.stat().st_ctime_ns, path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
            for path in sorted(self.root.rglob("*"))
        }

    def _command(self, name: str, script: str) -> None:
        file = self.root / "bin" / name
        file.write_text("#!/bin/sh\n" + script.replace("{root}", str(self.root)) + "\n")
        file.chmod(0o755)


def fake_node(root: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    """A node as kubeadm left it; whatever runs a command with this process's PATH meets the fakes first."""
    node = FakeNode(root)
    node.manifest.parent.mkdir(parents=True)
    node.manifest.write_text(MANIFEST)
    (root / "etc/kubernetes/admin.conf").touch()
    (root / "cluster-configuration.yaml").write_text(CLUSTER_CONFIGURATION)
    (root / "meminfo").write_text(_MEMINFO)
    (root / "bin").mkdir()
    for name, script in _COMMANDS.items():
        node._command(name, script)
    monkeypatch.setenv("PATH", f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return node
