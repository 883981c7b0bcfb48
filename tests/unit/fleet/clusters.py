"""Clusters in the states that a fleet has them in: what their nodes say, and their stack files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from auditlog.manifest.desired import sha256
from auditlog.nodes import node_scripts
from auditlog.nodes.facts import Facts
from auditlog.policy.presets import preset_text
from tests.unit.manifest.kubeadm_files import MANIFEST
from tests.unit.plan.nodes import applied, remote, untouched

HOUR = 3600
PROJECT = "kubernetes-audit"


def well(stack: str, preset: str = "standard") -> Facts:
    """A node as the stack left it, with two days of events and one a few seconds ago."""
    return dataclasses.replace(
        applied(preset_text(preset)),
        owner=f"{PROJECT}/{stack}",
        entry="cp1",
        edits_back=True,
        scripts_sha256=sha256(node_scripts.bundle()),
        log_written_bytes=640 * 2**20,
        log_written_seconds=48 * HOUR,
        log_silent_seconds=4,
    )


def states(stack: str) -> Mapping[str, Facts | None]:
    """By what is the matter with it; None for a node that does not answer."""
    facts = well(stack)
    assert facts.policy is not None
    return {
        "well": facts,
        "off": dataclasses.replace(untouched(), log_silent_seconds=None),
        "drifted": dataclasses.replace(
            facts, policy=dataclasses.replace(facts.policy, text=f"{facts.policy.text}# me\n")
        ),
        "undone": dataclasses.replace(facts, manifest=remote(MANIFEST, 3000)),
        "old": dataclasses.replace(facts, scripts_sha256="0" * 64, log_silent_seconds=None),
        "silent": dataclasses.replace(facts, log_silent_seconds=3 * HOUR),
        "full": dataclasses.replace(facts, log_written_bytes=90_000 * 2**20),
        "blind": dataclasses.replace(facts, policy=remote(preset_text("minimal"), 2000)),
        "unreachable": None,
    }


def stack_file(cluster: str, host_key: str, port: int, more: str = "") -> str:
    """The text of a stack file with one node on this machine."""
    return f"""\
config:
  kubernetes-audit:cluster: {cluster}
  kubernetes-audit:nodes:
    - name: cp1
      host: 127.0.0.1
      port: {port}
      user: ops
      hostKey: {host_key}
  kubernetes-audit:alerts:
    loki: configmap
  kubernetes-audit:kubeconfigFile: .kubeconfig
{more}"""
