"""Writes the stack configuration with which the program manages the lab's control plane."""

from __future__ import annotations

from typing import Any

import yaml

from lab import node
from lab.paths import Paths
from lab.state import LabState


def configuration(state: LabState, private_key: str) -> dict[str, Any]:
    """The content of a ``Pulumi.<stack>.yaml`` for the lab.

    The key is in clear: it is made for this lab, opens nothing else and goes with it.
    """
    nodes = [
        {"name": each.name, "host": each.address, "user": node.OPERATOR, "hostKey": each.host_key}
        for each in state.nodes
    ]
    return {
        "config": {
            "kubernetes-audit:cluster": "lab",
            "kubernetes-audit:nodes": nodes,
            "kubernetes-audit:sshPrivateKey": private_key,
            "kubernetes-audit:policy": {"preset": "low-write"},
        }
    }


def write(paths: Paths, state: LabState) -> None:
    """Write ``.lab/Pulumi.lab.yaml``, readable by its owner only."""
    paths.stack.touch(mode=0o600)
    text = yaml.safe_dump(configuration(state, paths.ssh_key.read_text()), sort_keys=False)
    paths.stack.write_text(text)
