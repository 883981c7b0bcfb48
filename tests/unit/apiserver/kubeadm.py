"""The real kubeadm 1.36 as a function: what it makes of a ClusterConfiguration, in a folder of the test's own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import yaml

from lab.paths import Paths

_KUBEADM = Paths.of().bin / "kubernetes-1.36" / "kubeadm"


def kubeadm_accepts(configuration: str, folder: Path) -> None:
    """Runs ``kubeadm config validate``; raises AssertionError with what kubeadm says against the text."""
    _kubeadm(folder, configuration, "config", "validate")


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
    file = folder / "configuration.yaml"
    file.write_text(configuration)
    result = subprocess.run(
        [_KUBEADM, *words, "--config", file],
        env=os.environ | {"KUBEADM_INIT_DRYRUN_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{result.stderr}\n{configuration}"
