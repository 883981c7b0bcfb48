"""The real kubeadm as a function: what it makes of a ClusterConfiguration, in a folder of the test's own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import yaml

from lab import tools
from lab.paths import Paths
from lab.tools import Tool


def kubeadm_accepts(configuration: str, folder: Path) -> None:
    """Runs ``kubeadm config validate``; raises AssertionError with what kubeadm says against the text."""
    experimental = ["--allow-experimental-api"] if "apiVersion: kubeadm.k8s.io/v1\n" in configuration else []
    _kubeadm(folder, configuration, "config", "validate", *experimental)


def kubeadm_manifest(configuration: str, folder: Path) -> str:
    """The kube-apiserver manifest that kubeadm would write; nothing outside ``folder`` is touched."""
    initial = {
        "apiVersion": yaml.safe_load(configuration)["apiVersion"],
        "kind": "InitConfiguration",
        "localAPIEndpoint": {"advertiseAddress": "10.0.20.100", "bindPort": 6443},
        "nodeRegistration": {"name": "cp1"},
    }
    both = f"{configuration.rstrip()}\n---\n{yaml.safe_dump(initial)}"
    _kubeadm(folder, both, "init", "phase", "control-plane", "apiserver", "--dry-run")
    return (folder / "kube-apiserver.yaml").read_text()


def _kubeadm(folder: Path, configuration: str, *words: str) -> None:
    """Runs the newest kubeadm, or the last one that reads v1beta3 for a text of that version."""
    tool = tools.kubeadm_of_v1beta3() if "kubeadm.k8s.io/v1beta3" in configuration else _newest()
    file = folder / "configuration.yaml"
    file.write_text(configuration)
    result = subprocess.run(
        [tool.path(Paths.of()), *words, "--config", file],
        env=os.environ | {"KUBEADM_INIT_DRYRUN_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{result.stderr}\n{configuration}"


def _newest() -> Tool:
    return next(tool for tool in tools.node_tools(tools.KUBERNETES_MINORS[0]) if tool.name == "kubeadm")
